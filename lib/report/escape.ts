/** Text that stands for itself in HTML, in attributes too. */
export function safe(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

/** JSON that cannot end the element it stands in. */
export function inScript(json: string): string {
  return json.replaceAll('<', '\\u003c')
}
