import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runChaos, TimeIsOver } from './chaos/run.ts'

/** `npm run chaos`: see docs/chaos.md. Prints its figures as JSON and ends with 0 when nothing was lost, doubled or wrong. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    kills: { type: 'string', default: '200' },
    files: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '30' },
    every: { type: 'string', default: '1000' },
    main: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})
const figures = await runChaos({
  seed: Number(values.seed),
  kills: Number(values.kills),
  files: Number(values.files),
  minutes: Number(values.minutes),
  everyMs: Number(values.every),
  // Its processes run in a folder of their own.
  ...(values.main !== undefined && { main: resolve(values.main) }),
  say: (text) => {
    if (!values.quiet) process.stderr.write(`${text}\n`)
  },
}).catch((error: unknown) => {
  if (!(error instanceof TimeIsOver)) throw error
  process.stderr.write(`${error.message}\n`)
})
if (figures) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
process.exitCode = figures?.problems.length === 0 ? 0 : 1
