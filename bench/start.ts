import { join } from 'node:path'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, type Contender } from './contest.ts'
import { dataferry } from './dataferry.ts'
import { emit, say } from './output.ts'
import { scratch } from './scratch.ts'
import { startServer } from './stand-in.ts'
import { shell } from './tools.ts'

/** More than the program writes, its Redis included. */
const ROOM = 256 * 1024 * 1024

/** Seconds that a command should take on two idle cores; the others have no target of their own. */
const TARGETS: Readonly<Record<string, number>> = { '--version': 0.15, 'plan, one file': 0.5, 'run, one byte': 0.8 }

/** What is felt of a command that has nearly nothing to do: its start, its end, and what it waits for in between. */
export async function start(bench: Bench): Promise<void> {
  const { options, signal } = bench
  await using folder = await scratch(ROOM, options.dir)
  say(`start: in ${folder.path}`)
  await using server = await startServer({ world: 'big:1' })
  const [file] = await server.files(signal)
  if (!file) throw new Error('The stand-in does not list a file.')
  const run = (...args: readonly string[]) => dataferry(args, dataferryOptions(bench, folder.path))
  let places = 0
  const fetching = (verb: string) =>
    run(verb, String(file.id), '--server', server.url, '--to', join(folder.path, `data-${places++}`), '-q')
  const contenders: readonly Contender[] = [
    { name: 'node, nothing', run: () => shell('"$1" -e 0', [process.execPath], toolOptions(bench, folder.path)) },
    { name: '--version', run: () => run('--version') },
    { name: '--help', run: () => run('--help') },
    { name: 'run --help', run: () => run('run', '--help') },
    { name: 'config', run: () => run('config') },
    { name: 'status', run: () => run('status') },
    { name: 'plan, one file', run: () => fetching('plan') },
    { name: 'run, one byte', run: () => fetching('run') },
  ]
  const results = await contest(contenders, options.repeat)
  say(
    '',
    'Whole commands',
    `  ${'command'.padEnd(18)}${'seconds'.padStart(9)}${'best'.padStart(9)}${'CPU s'.padStart(9)}${'target'.padStart(9)}`,
  )
  for (const { name, seconds, best, cpuSeconds } of results) {
    const target = TARGETS[name]
    emit({ benchmark: 'start', command: name, seconds, best, cpuSeconds, ...(target !== undefined && { target }) })
    const figures = [seconds, best, cpuSeconds].map((value) => value.toFixed(2).padStart(9)).join('')
    say(`  ${name.padEnd(18)}${figures}${(target?.toFixed(2) ?? '').padStart(9)}`)
  }
}
