type Attributes = Readonly<Record<string, string | number>>

/** An element with attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  made.append(...children)
  return made
}

/** A place of the page by its id; undefined where the page has no such part. */
export function place(id: string): HTMLElement | undefined {
  return document.getElementById(id) ?? undefined
}

/** Calls back at most once a frame, however often it is asked. */
export function oncePerFrame(work: () => void): () => void {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => {
      waiting = false
      work()
    })
  }
}

const narrowest = 280

/** Fills a place with figures; a drawing is made for the width that its figure has there. */
export function fill<T>(
  target: HTMLElement,
  items: readonly T[],
  frame: (item: T) => { readonly figure: HTMLElement; readonly draw: (width: number) => Node },
): void {
  const framed = items.map(frame)
  target.replaceChildren(...framed.map(({ figure }) => figure))
  // A window that is not shown yet has no width; when it gets one, everything is drawn anew.
  const widths = framed.map(({ figure }) => Math.max(narrowest, figure.clientWidth))
  framed.forEach(({ figure, draw }, i) => {
    figure.querySelector('.drawing')?.replaceChildren(draw(widths[i]))
  })
}

/** Calls back when the drawings must be made anew: another width, or another theme. */
export function onChange(redraw: () => void): void {
  const soon = oncePerFrame(redraw)
  let width = innerWidth
  addEventListener('resize', () => {
    if (innerWidth !== width) soon()
    width = innerWidth
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', soon)
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value))
}

/** An id as people read it: three decimals, a real minus sign. */
export function number(value: number): string {
  return String(Math.round(value * 1000) / 1000).replace('-', '−')
}
