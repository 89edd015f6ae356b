import Table from 'cli-table3'
import { MropeError } from '../errors.js'

/** What a command gives: one JSON document, and the same for people. */
export interface Report {
  readonly json: unknown
  /** Lines of text for a terminal. */
  readonly text: string
  /** False when the work was done but its result is bad. */
  readonly ok?: boolean
}

/** A plain table: a head, then rows. Numbers are right-aligned. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const plain = { 'top-mid': '', 'bottom-mid': '', 'mid-mid': '', 'left-mid': '', 'right-mid': '', middle: '  ' }
  const bare = { top: '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-left': '', 'bottom-right': '' }
  const lines = new Table({
    head: [...head],
    chars: { ...plain, ...bare, left: '', right: '', mid: '' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, i) => (rows.length > 0 && rows.every((row) => isNumeric(row[i])) ? 'right' : 'left')),
  })
  lines.push(...rows.map((row) => row.map(String)))
  return lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

function isNumeric(cell: string | number): boolean {
  return typeof cell === 'number' || /^[-–]?$|^-?[\d.]+(e[-+]?\d+)?$/.test(cell)
}

/** A small number as people compare errors: one digit and a power of ten. */
export function shortError(error: number | undefined): string {
  if (error === undefined) return '–'
  return error === 0 ? '0' : error.toExponential(1)
}

export function writeReport(report: Report, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(report.json)}\n` : `${report.text}\n`)
}

/** An error as a document for programs, or as a line for people. */
export function writeError(error: unknown, json: boolean): void {
  const known = error instanceof MropeError
  const message = error instanceof Error ? error.message : String(error)
  if (json) {
    process.stdout.write(`${JSON.stringify({ error: { code: known ? error.code : 'ERR_INTERNAL', message } })}\n`)
  } else if (known) {
    process.stderr.write(`mrope: ${message} [${error.code}]\n`)
  } else {
    process.stderr.write(`mrope: internal error: ${error instanceof Error ? (error.stack ?? message) : message}\n`)
  }
}
