import {
  axialSpectrum,
  defaultSpectrum,
  dynamicSpectrum,
  explicitSpectrum,
  linearSpectrum,
  llama3Spectrum,
  longRopeSpectrum,
  ntkSpectrum,
  proportionalSpectrum,
  yarnSpectrum,
} from './scaling.js'

/** Every spectrum by name. */
export const spectra = {
  default: defaultSpectrum,
  linear: linearSpectrum,
  ntk: ntkSpectrum,
  dynamic: dynamicSpectrum,
  yarn: yarnSpectrum,
  longrope: longRopeSpectrum,
  llama3: llama3Spectrum,
  proportional: proportionalSpectrum,
  axial: axialSpectrum,
  explicit: explicitSpectrum,
} as const
