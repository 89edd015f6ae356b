import { serve } from '../contest/contestant.js'
import { OnnxRuntime } from './onnxruntime.js'

await serve(new OnnxRuntime('onnxruntime-node', 'cpu'))
