// What the addon makes of a call: arguments in device memory, steps of a cache, results that come back.
const job = 'native/binding/gpu-job.cc'
const step = 'native/binding/gpu-step.cc'
const device = 'native/apple/device.mm'
const tensors = 'mocha test/metal-tensors.test.ts stand next to host tensors'
const plain = 'mocha test/cache.test.ts cache of metal plain'
const drop = 'mocha test/cache.test.ts cache of metal drops tokens'

export const dispatch = [
  {
    name: 'results do not come back from copies',
    file: job,
    from: 'if (one.written && !one.buffer->shared()) std::memcpy(one.host, one.buffer->host(), one.bytes);',
    to: '(void)one;',
    test: 'mocha test/metal-errors.test.ts are copied, with the same result',
  },
  {
    name: 'tensors of one size share a buffer',
    file: job,
    from: 'if (one.host != tensor.data || one.bytes != bytes || bytes == 0) continue;',
    to: 'if (one.bytes != bytes || bytes == 0) continue;',
    test: tensors,
  },
  {
    name: 'a token is appended one row too late',
    file: step,
    from: 'decode.slot = start;',
    to: 'decode.slot = start + 1;',
    test: plain,
  },
  {
    name: 'a chunk is masked as if the cache were empty',
    file: step,
    from: 'request.queryOffset = a.queryOffset;',
    to: 'request.queryOffset = 0;',
    test: plain,
  },
  {
    name: 'a step does not see the last key',
    file: step,
    from: 'request.k = rows.keys(0, a.k.tokens);\n    request.v = rows.values(0, a.k.tokens);',
    to: 'request.k = rows.keys(0, a.k.tokens - 1);\n    request.v = rows.values(0, a.k.tokens - 1);',
    test: plain,
  },
  {
    name: 'the layer is not released after a step',
    file: step,
    from: '    state().busy = false;\n',
    to: '',
    test: plain,
  },
  {
    name: 'a step that failed takes tokens',
    file: step,
    from: 'if (done) state().length += data.a.q.tokens;',
    to: '(void)done;\n    state().length += data.a.q.tokens;',
    test: 'mocha test/metal-errors.test.ts a step that fails takes no tokens',
    equivalent: 'MetalCache cuts the layer back to the tokens that it held when a step fails, whatever was counted',
  },
  {
    name: 'the tokens of a drop stay in the count',
    file: step,
    from: 'if (done) layer.length -= tokens;',
    to: '(void)done;',
    test: 'mocha test/metal-cache.test.ts a drop of tokens',
  },
  {
    name: 'rows behind a drop move to the start of the cache',
    file: step,
    from: 'request.to = start;',
    to: 'request.to = 0;',
    test: drop,
  },
  {
    name: 'a cache with half a drop is used as before',
    file: step,
    from: 'cache->torn |= !done && submitted();',
    to: '',
    test: 'mocha test/metal-cache.test.ts a drop that fails',
  },
  {
    name: 'angles of one call serve another',
    file: 'native/binding/gpu-parts.cc',
    from: 'if (key == key_) {',
    to: 'if (!key_.empty()) {',
    test: 'mocha test/metal-angles.test.ts as if alone',
  },
  {
    name: 'what encoded work uses is released before it runs',
    file: device,
    from: '    [buffer addCompletedHandler:^(id<MTLCommandBuffer>) {\n      held->clear();\n    }];\n',
    to: '    held->clear();\n',
    test: 'mocha test/metal-encode.test.ts retains nothing',
  },
]
