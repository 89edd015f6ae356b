#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { backendNames } from '../backends/names.js'
import { compatNames, readCompat } from '../encodings/compat.js'
import { MropeError, MropeRangeError } from '../errors.js'
import { attendCommand } from './attend.js'
import { coherenceCommand } from './coherence.js'
import { compareCommand } from './compare.js'
import { doctorCommand } from './doctor.js'
import { type Report, writeError, writeReport } from './output.js'
import { positionsCommand } from './positions.js'
import { reportCommand } from './report.js'
import { rotateCommand } from './rotate.js'
import { tableCommand } from './table.js'
import { prefixes } from './tower.js'
import { version } from './version.js'

const exitCode = { failed: 1, usage: 2 } as const

const jsonOption = ['--json', 'one JSON document on stdout and nothing else'] as const

const program = new Command('mrope')
  .description('Positions, rotary frequencies and rotated attention of vision-language models')
  .version(version)
  .option(...jsonOption)
  // The flag may stand in front of the command or behind it.
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ writeErr: () => {} })
  .addHelpText('after', '\nExit code: 0, 1 when the work failed, 2 for a wrong command line.')

type Action = (flags: never) => Promise<Report>

function command(name: string, description: string, action: Action): Command {
  const added = program
    .command(name)
    .description(description)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  return added.option(...jsonOption).action(async (flags: { json?: boolean }) => {
    const report = await action(flags as never)
    writeReport(report, (flags.json ?? program.opts().json) === true)
    if (report.ok === false) process.exitCode = exitCode.failed
  })
}

function withConfig(added: Command, required = true): Command {
  const option = (flags: string, text: string) =>
    required ? added.requiredOption(flags, text) : added.option(flags, text)
  option('--config <file>', "the model's config.json")
  option(
    '--sequence <file>',
    'the prompt: processor output in Hugging Face names, or {"segments": […]}; a list is a batch',
  )
  return added
    .option('--compat <release>', `whose rule holds where releases disagree: ${compatNames.join(', ')}`, compat)
    .option('--family <name>', 'read the configuration as that of this family')
    .option('--layer-type <name>', 'which layers, where they have rotary parameters of their own')
}

function withBackend(added: Command): Command {
  const prefix = new Option('--prefix <name>', 'which tensors of the file').choices(prefixes).default('lm')
  const backend = new Option('--backend <name>', 'what runs it').choices(['auto', ...backendNames]).default('auto')
  return added.addOption(prefix).addOption(backend)
}

function compat(text: string): string {
  try {
    return readCompat(text)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

function count(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0 && text.trim() !== '') return value
  throw new InvalidArgumentError('It is a count, 0 or more.')
}

function distances(text: string): number[] {
  const list = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (list.every((distance) => distance >= 0 && distance <= Number.MAX_SAFE_INTEGER)) return list
  throw new InvalidArgumentError('It is a list of distances such as 1,64,4096.')
}

command('doctor', 'what this machine can run, and why', doctorCommand)

withConfig(command('positions', 'the position of every token on every axis', positionsCommand)).option(
  '--decode <n>',
  'also the positions of the next n generated tokens',
  count,
  0,
)

withConfig(command('table', 'cosines and sines of every token and pair', tableCommand)).option(
  '--out <file>',
  'write cos and sin to a safetensors file',
)

withBackend(withConfig(command('rotate', 'rotate PREFIX.q and PREFIX.k of a safetensors file', rotateCommand)))
  .requiredOption('--tensors <file>', 'safetensors with PREFIX.q and PREFIX.k')
  .option('--inverse', 'turn back')
  .option('--out <file>', 'write PREFIX.q_rot and PREFIX.k_rot to a safetensors file')

withBackend(
  withConfig(command('attend', 'rotated attention of one layer, compared with the file', attendCommand), false),
)
  .option('--tensors <file>', 'safetensors with PREFIX.q, .k and .v')
  .option('--captures <folder>', 'instead of one layer: every capture <family>/<case>/ of a folder, in one table')
  .option('--out <file>', 'write PREFIX.q_rot, .k_rot and .out to a safetensors file')

withConfig(
  command(
    'coherence',
    'do the positions of blocks and text overlap, grow too fast or lose structure',
    coherenceCommand,
  ),
).option('--generated <n>', 'tokens that will be generated', count, 110)

withConfig(command('compare', 'every layout and allocation on one prompt, beside those of the model', compareCommand))
  .option('--row <n>', 'which row of a batch, from 0', count)
  .option('--generated <n>', 'tokens that will be generated', count, 110)
  .option('--distances <list>', 'where decay is given: ids, separated by commas', distances)

withConfig(command('report', 'one HTML page about a prompt: words, tables and drawings', reportCommand))
  .requiredOption('--out <file>', 'the page to write')
  .option('--row <n>', 'which row of a batch, from 0', count)
  .option('--generated <n>', 'tokens that will be generated', count, 110)

// A reader such as `head` may close the pipe; that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

async function main(): Promise<void> {
  const json = process.argv.includes('--json')
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version have been printed; anything else is a wrong command line.
      if (error.exitCode === 0) return
      process.exitCode = exitCode.usage
      const message =
        error.code === 'commander.help'
          ? 'a command is missing; see mrope --help'
          : error.message.replace(/^error: /, '')
      writeError(new MropeRangeError('ERR_MROPE_USAGE', message), json)
      return
    }
    process.exitCode =
      error instanceof MropeError && error.code === 'ERR_MROPE_USAGE' ? exitCode.usage : exitCode.failed
    writeError(error, json)
  }
}

await main()
