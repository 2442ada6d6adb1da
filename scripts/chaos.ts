import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runChaos, TimeIsOver } from './chaos/run.ts'
import { isOutageOf, OUTAGES_OF } from './chaos/stage.ts'

/** `npm run chaos`: see docs/chaos.md. Prints its figures as JSON and ends with 0 when nothing was lost, doubled or wrong. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    kills: { type: 'string', default: '200' },
    files: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '30' },
    every: { type: 'string', default: '1000' },
    outages: { type: 'string', default: '' },
    main: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})
const unknown = values.outages.split(',').find((name) => name !== '' && !isOutageOf(name))
if (unknown !== undefined) throw new Error(`--outages takes ${OUTAGES_OF.join(',')}, not ${unknown}`)
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort())
const figures = await runChaos({
  signal: interruption.signal,
  seed: Number(values.seed),
  kills: Number(values.kills),
  files: Number(values.files),
  minutes: Number(values.minutes),
  everyMs: Number(values.every),
  outages: values.outages.split(',').filter(isOutageOf),
  // Its processes run in a folder of their own.
  ...(values.main !== undefined && { main: resolve(values.main) }),
  say: (text) => {
    if (!values.quiet) process.stderr.write(`${text}\n`)
  },
}).catch((error: unknown) => {
  // Ctrl-C reaches whatever is being run, too, so that anything may have failed by it.
  if (!(error instanceof TimeIsOver) && !interruption.signal.aborted) throw error
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
})
if (figures) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
process.exitCode = figures?.problems.length === 0 ? 0 : 1
