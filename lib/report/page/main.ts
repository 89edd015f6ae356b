import type { ReportData } from '../data.js'
import { drawDecay } from './decay.js'
import { drawFrequencies } from './frequencies.js'
import { drawMaps } from './maps.js'
import { drawStrips } from './strips.js'
import { drawTraces } from './traces.js'

const data = JSON.parse(document.getElementById('data')?.textContent ?? 'null') as ReportData | null

if (data && data.schemes.length > 0) {
  drawStrips(data)
  drawTraces(data)
  drawFrequencies(data)
  drawDecay(data)
  drawMaps(data)
}
document.documentElement.dataset.drawn = 'true'
