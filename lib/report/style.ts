/** Looks of the page. Colours are variables, so that drawings follow the reader's light or dark theme by themselves. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1d2126; --soft: #59626d; --line: #d4d9df; --card: #f5f7f9;
  --bad: #b3261e; --bad-paper: #fdecea; --good: #1a6b3c; --good-paper: #e6f4ea; --focus: #0b62c4;
  --axis-0: #c04a00; --axis-1: #00795a; --axis-2: #1f66b8; --axis-3: #8a3f86; --axis-4: #7a5b00;
  --text: #1d2126; --still: #c3c9d0; --kind-text: #59626d; --kind-block: #1f66b8; --kind-generated: #87929f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e8ebee; --soft: #a3adb8; --line: #363d45; --card: #1d2226;
    --bad: #ff9b8f; --bad-paper: #43201d; --good: #7fd6a2; --good-paper: #183524; --focus: #7db7ff;
    --axis-0: #ff9a57; --axis-1: #3fc59b; --axis-2: #73b2ff; --axis-3: #dc95d8; --axis-4: #dcb94a;
    --text: #e8ebee; --still: #4a525b; --kind-text: #a3adb8; --kind-block: #73b2ff; --kind-generated: #5c6670;
  }
}
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, sans-serif; background: var(--paper); color: var(--ink); }
body { margin: 0 auto; padding: 1.5rem clamp(0.9rem, 3vw, 2.5rem) 4rem; max-width: 84rem; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 0.3rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 0.3rem; }
h3 { font-size: 0.95rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.35rem 0; max-width: 48rem; }
a { color: var(--focus); }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; margin-top: 0.6rem; }
nav a { padding: 0.15rem 0; }
.soft, figcaption, .names { color: var(--soft); font-size: 0.875rem; }
.answer { border: 1px solid var(--line); border-left: 5px solid var(--good); background: var(--card);
  padding: 0.7rem 1rem; margin: 1.1rem 0; border-radius: 4px; }
.answer.bad { border-left-color: var(--bad); }
.answer p { max-width: 60rem; }
.answer strong { font-size: 1.05rem; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; padding: 0.35rem 0.8rem 0.35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 9.5rem; overflow-wrap: break-word; }
td.axes { white-space: nowrap; }
.names { display: block; font-weight: 400; font-size: 0.8rem; max-width: 26rem; }
.verdict { min-width: 13rem; }
.badge { display: inline-block; padding: 0 0.45rem; border-radius: 3px; font-weight: 600; }
.badge.bad { background: var(--bad-paper); color: var(--bad); }
.badge.good { background: var(--good-paper); color: var(--good); }
.badge.model { background: var(--card); color: var(--ink); border: 1px solid var(--line); font-size: 0.78rem; }
details { border-bottom: 1px solid var(--line); padding: 0.45rem 0; }
summary { cursor: pointer; font-weight: 600; overflow-wrap: anywhere; }
details ul { margin: 0.4rem 0 0.6rem; padding-left: 1.3rem; max-width: 52rem; }
details li { margin: 0.3rem 0; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin: 0.5rem 0; font-size: 0.875rem; align-items: center; }
.legend i { display: inline-block; width: 0.95em; height: 0.95em; border-radius: 2px; margin-right: 0.4em; vertical-align: -0.1em; }
.ramp { display: inline-block; width: 9rem; height: 0.85em; border-radius: 2px; vertical-align: -0.1em; margin: 0 0.45em; }
.strip { margin: 0 0 1rem; }
.strip header { display: flex; flex-wrap: wrap; gap: 0.1rem 0.7rem; align-items: baseline; margin-bottom: 0.2rem; }
.strip .rows { display: grid; grid-template-columns: 1.6rem 1fr; column-gap: 0.3rem; position: relative; }
.strip .letters { display: grid; font-size: 0.75rem; line-height: 1; color: var(--soft); }
.strip .letters span { align-self: center; text-align: right; }
.strip canvas { width: 100%; display: block; image-rendering: pixelated; border-radius: 2px; }
.strip .cursor { position: absolute; top: 0; bottom: 0; width: 2px; background: var(--ink);
  box-shadow: 0 0 0 1px var(--paper); pointer-events: none; }
.grid { display: grid; gap: 1.2rem 1.4rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
.wide { display: grid; gap: 1.2rem 1.4rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
.pair { display: grid; gap: 1.2rem 1.4rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; min-width: 0; }
figure svg, figure canvas { max-width: 100%; }
.map { position: relative; touch-action: pan-y; cursor: crosshair; background: var(--card); border-radius: 2px; margin-top: 0.25rem; }
.map canvas { width: 100%; display: block; image-rendering: pixelated; border-radius: 2px; }
.map .query { position: absolute; border: 2px solid #fff; outline: 2px solid #000; border-radius: 2px; pointer-events: none;
  min-width: 9px; min-height: 9px; transform: translate(-50%, -50%); }
.controls { display: flex; flex-wrap: wrap; gap: 0.6rem 1.6rem; margin: 0.6rem 0 1rem; align-items: end; }
.controls label:not(.check) { display: grid; font-size: 0.875rem; gap: 0.15rem; }
.controls .check { font-size: 0.875rem; }
.controls input[type='range'] { width: 11rem; accent-color: var(--focus); }
.controls label { min-width: 0; max-width: 100%; }
.controls select { font: inherit; width: 100%; padding: 0.2rem 0.4rem; max-width: 100%; color: var(--ink); background: var(--card);
  border: 1px solid var(--soft); border-radius: 4px; }
label.check { display: flex; align-items: center; gap: 0.4rem; }
.check input { width: 1.1rem; height: 1.1rem; accent-color: var(--focus); }
output { font-variant-numeric: tabular-nums; }
output.line { display: block; min-height: 1.5em; font-size: 0.875rem; }
svg { color: var(--ink); font-family: inherit; }
noscript p { color: var(--bad); }
@media print { body { max-width: none; } .controls { display: none; } }
`
