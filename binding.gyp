{
  'variables': {
    # One translation unit per instruction set; which one runs is chosen by the processor at run time.
    'avx2_flags': ['-mavx2', '-mfma', '-mf16c'],
    'avx512_flags': ['-mavx512f', '-mavx512dq', '-mavx512bw', '-mavx512vl', '-mfma', '-mf16c'],
    'kernel_flags': ['-std=c++20', '-O3', '-fno-strict-aliasing', '-ffp-contract=fast', '-fvisibility=hidden', '-Wno-psabi'],
  },
  'target_defaults': {
    'cflags!': ['-O2', '-fno-exceptions'],
    'cflags_cc!': ['-O2', '-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['<@(kernel_flags)', '-fexceptions', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Wno-cast-function-type', '-Wno-psabi'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'MACOSX_DEPLOYMENT_TARGET': '13.0',
      'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=fast', '-fno-strict-aliasing'],
    },
  },
  'targets': [
    {
      'target_name': 'mrope',
      'sources': [
        'native/addon.cc',
        'native/binding/attend.cc',
        'native/binding/cache.cc',
        'native/binding/call.cc',
        'native/binding/errors.cc',
        'native/binding/info.cc',
        'native/binding/register.cc',
        'native/binding/rotate.cc',
        'native/binding/work.cc',
        'native/core/arena.cc',
        'native/core/cache.cc',
        'native/core/check.cc',
        'native/core/pool.cc',
        'native/core/visible.cc',
        'native/cpu/attend.cc',
        'native/cpu/dispatch.cc',
        'native/cpu/exact.cc',
        'native/cpu/isa-base.cc',
        'native/cpu/rotate.cc',
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=9', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED'],
      'conditions': [
        ['target_arch=="x64"', { 'dependencies': ['mrope_avx2', 'mrope_avx512'] }],
        ['OS=="mac"', {
          'defines': ['MROPE_METAL'],
          'include_dirs': ['native/gpu'],
          'sources': [
            '<(SHARED_INTERMEDIATE_DIR)/metal-sources.cc',
            'native/apple/archive.mm',
            'native/apple/buffer.mm',
            'native/apple/device.mm',
            'native/apple/library.mm',
            'native/apple/pipeline.mm',
            'native/binding/gpu-attend.cc',
            'native/binding/gpu-buffer.cc',
            'native/binding/gpu-cache.cc',
            'native/binding/gpu-device.cc',
            'native/binding/gpu-job.cc',
            'native/binding/gpu-parts.cc',
            'native/binding/gpu-rotate.cc',
            'native/binding/gpu-self-test.cc',
            'native/binding/gpu-step.cc',
            'native/gpu/attend-layout.cc',
            'native/gpu/attend.cc',
            'native/gpu/decode.cc',
            'native/gpu/lane-order.cc',
            'native/gpu/plan.cc',
            'native/gpu/redo.cc',
            'native/gpu/rerotate.cc',
            'native/gpu/rotate.cc',
            'native/gpu/tiles.cc',
            'native/gpu/turns.cc',
          ],
          # The kernels travel in the addon as text.
          'actions': [{
            'action_name': 'embed_metal',
            'inputs': ['native/gpu/embed.mjs', '<!@(node -p "require(\'fs\').readdirSync(\'metal\').map((f) => \'metal/\' + f).join(\' \')")'],
            'outputs': ['<(SHARED_INTERMEDIATE_DIR)/metal-sources.cc'],
            'action': ['node', 'native/gpu/embed.mjs', '<(SHARED_INTERMEDIATE_DIR)/metal-sources.cc'],
          }],
          'xcode_settings': { 'CLANG_ENABLE_OBJC_ARC': 'YES' },
          'link_settings': {
            'libraries': [
              '$(SDKROOT)/System/Library/Frameworks/Foundation.framework',
              '$(SDKROOT)/System/Library/Frameworks/Metal.framework',
            ],
          },
        }],
        ['OS=="linux"', {
          # A worker that ends closes the library; threads of the pool may still be on their way out of it.
          'ldflags': ['-Wl,-z,nodelete'],
          # GCC 12 warns about std::string without reason (bug 105651).
          'cflags_cc': ['-Wno-restrict'],
        }],
      ],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'mrope_avx2',
          'type': 'static_library',
          'sources': ['native/cpu/isa-avx2.cc'],
          'cflags_cc': ['<@(avx2_flags)'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(avx2_flags)'] },
        },
        {
          'target_name': 'mrope_avx512',
          'type': 'static_library',
          'sources': ['native/cpu/isa-avx512.cc'],
          'cflags_cc': ['<@(avx512_flags)', '-Wno-maybe-uninitialized'],
          'xcode_settings': { 'OTHER_CPLUSPLUSFLAGS': ['<@(avx512_flags)'] },
        },
      ],
    }],
  ],
}
