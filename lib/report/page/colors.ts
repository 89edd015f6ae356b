/** Stops of a ramp from dark blue over green to yellow, even to the eye in light and dark and without red against green. */
const stops = [
  [68, 1, 84],
  [71, 45, 123],
  [59, 82, 139],
  [44, 114, 142],
  [33, 145, 140],
  [40, 174, 128],
  [94, 201, 98],
  [173, 220, 48],
  [253, 231, 37],
] as const

export type Rgb = readonly [number, number, number]

/** Colour of a share from 0 to 1. */
export function ramp(share: number): Rgb {
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1)
  const i = Math.min(stops.length - 2, Math.floor(at))
  const mix = (channel: 0 | 1 | 2): number =>
    Math.round(stops[i][channel] + (at - i) * (stops[i + 1][channel] - stops[i][channel]))
  return [mix(0), mix(1), mix(2)]
}

export const rampCss = `linear-gradient(to right, ${stops.map((rgb) => `rgb(${rgb.join(' ')})`).join(', ')})`

/** Axes of the same meaning have the same colour in every scheme. */
const numberOf: Readonly<Record<string, number>> = { t: 0, h: 1, w: 2, r: 1, c: 2, p: 3, i: 4, e: 4 }

/** A variable of the page, so that drawings follow the theme. */
export function axisColor(axis: string, index: number): string {
  if (axis === 'text') return 'var(--text)'
  return `var(--axis-${(numberOf[axis] ?? index) % 5})`
}

/** The colour of a variable now, for canvases, which know no variables. */
export function resolved(variable: string): Rgb {
  const text = getComputedStyle(document.documentElement).getPropertyValue(variable).trim()
  const value = Number.parseInt(text.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

/** A picture of so many pixels, each of the colour that is asked for. */
export function paint(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  colorOf: (x: number, y: number) => Rgb,
): void {
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d')
  if (!context) return
  const image = context.createImageData(width, height)
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += 4) {
      const [r, g, b] = colorOf(x, y)
      image.data[i] = r
      image.data[i + 1] = g
      image.data[i + 2] = b
      image.data[i + 3] = 255
    }
  }
  context.putImageData(image, 0, 0)
}
