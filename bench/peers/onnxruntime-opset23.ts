import { serve } from '../contest/contestant.js'
import { OnnxRuntime } from './onnxruntime.js'
import { standardOperators } from './onnxruntime-graphs.js'

await serve(new OnnxRuntime('onnxruntime-node', 'cpu', standardOperators))
