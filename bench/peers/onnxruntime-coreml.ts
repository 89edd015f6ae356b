import { serve } from '../contest/contestant.js'
import { OnnxRuntime } from './onnxruntime.js'
import { plainOperators } from './onnxruntime-plain.js'

await serve(new OnnxRuntime('onnxruntime-node', 'coreml', plainOperators))
