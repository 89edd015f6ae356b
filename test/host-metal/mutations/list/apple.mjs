// The Objective-C++ side: dispatch, bindings, memory and life times, on the fakes.
const device = 'native/apple/device.mm'
const buffer = 'native/apple/buffer.mm'
const library = 'native/apple/library.mm'
const pipeline = 'native/apple/pipeline.mm'
const archive = 'native/apple/archive.mm'
const test = 'mocha test/metal-tensors.test.ts'
const errors = 'mocha test/metal-errors.test.ts'
const life = 'mocha test/metal-life.test.ts leaves no object'

export const apple = [
  { name: 'the encoder is not ended', file: device, from: '  [encoder endEncoding];\n', to: '', test },
  {
    name: 'windows of a buffer begin at its start',
    file: device,
    from: 'offset:buffer.offset() + place.offset',
    to: 'offset:place.offset',
    test,
  },
  {
    name: 'the grid is turned',
    file: device,
    from: 'MTLSizeMake(grid.x, grid.y, grid.z)',
    to: 'MTLSizeMake(grid.y, grid.x, grid.z)',
    test,
  },
  {
    name: 'parameters are bound one index too far',
    file: device,
    from: '[encoder setBytes:bytes->data() length:bytes->size() atIndex:binding.index];',
    to: '[encoder setBytes:bytes->data() length:bytes->size() atIndex:binding.index + 1];',
    test,
  },
  {
    name: 'a committed command buffer is taken for an open one',
    file: device,
    from: 'if (buffer.status != MTLCommandBufferStatusNotEnqueued && buffer.status != MTLCommandBufferStatusEnqueued) {',
    to: 'if (buffer.status == MTLCommandBufferStatusError) {',
    test,
  },
  {
    name: 'host memory is taken from the start of its page',
    file: buffer,
    from: 'std::make_shared<MetalBuffer>(buffer, at - start, bytes, true)',
    to: 'std::make_shared<MetalBuffer>(buffer, 0, bytes, true)',
    test,
  },
  {
    name: 'a copy of host memory is not filled',
    file: buffer,
    from: 'if (bytes) std::memcpy(out->host(), pointer, bytes);',
    to: '',
    test,
  },
  {
    name: 'a foreign buffer is released once too often',
    file: buffer,
    from: '(__bridge id<MTLBuffer>)reinterpret_cast<void *>(handle)',
    to: '(__bridge_transfer id<MTLBuffer>)reinterpret_cast<void *>(handle)',
    test,
  },
  {
    name: 'function constants are set one index too far',
    file: pipeline,
    from: 'type:typeOf(constant.type) atIndex:constant.index];',
    to: 'type:typeOf(constant.type) atIndex:constant.index + 1];',
    test,
  },
  {
    name: 'a boolean constant is given as four bytes',
    file: pipeline,
    from: 'constant.type == gpu::ConstantType::Bool ? static_cast<const void *>(&truth) : &constant.bits;',
    to: 'static_cast<const void *>(&constant.bits); (void)truth;',
    test,
    equivalent: 'the first of the four bytes is the boolean on every machine that Metal runs on',
  },
  {
    name: 'the macros do not reach the compiler',
    file: library,
    from: 'options.preprocessorMacros = definitions;',
    to: '',
    test,
  },
  {
    name: 'a lost device takes more work',
    file: device,
    from: 'if (lost) work->lost = true;',
    to: '',
    test: `${errors} goes away`,
  },
  {
    name: 'a lost device is opened again',
    file: device,
    from: 'if (out && !out->lost()) return Status();',
    to: 'if (out) return Status();',
    test: `${errors} goes away`,
  },
  {
    name: 'the handle of a tensor retains its buffer for ever',
    file: device,
    from: '(__bridge void *)metal->metal()',
    to: '(__bridge_retained void *)metal->metal()',
    test: life,
  },
  {
    name: 'a pipeline that failed once fails for ever',
    file: pipeline,
    from: 'if (!built.status.ok()) known_.erase(name);',
    to: 'if (!built.status.ok()) (void)name;',
    test: `${errors} is not made`,
  },
  {
    name: 'a library that failed once fails for ever',
    file: library,
    from: '  known_.erase(name);\n',
    to: '',
    test: `${errors} refuses a library`,
  },
  {
    name: 'a damaged archive stays where it is',
    file: archive,
    from: 'if (!archive_) std::filesystem::remove(path_, failure);',
    to: '',
    test: `${errors} archive`,
    equivalent: 'an empty archive takes its place, and the first pipeline that is added replaces the file',
  },
]
