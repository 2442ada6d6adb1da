import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { say } from './output.ts'

/**
 * Prints where a CPU profile spent its time: by function itself, and by file. Idle time is left out of the shares.
 * Arguments: a `.cpuprofile` file of `--profile`, and how many lines to show.
 */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
    }),
  ),
  samples: z.array(z.number()),
  /** Microseconds since the sample before. */
  timeDeltas: z.array(z.number()),
})

const [file = '', shown = '30'] = process.argv.slice(2)
const { nodes, samples, timeDeltas } = profileSchema.parse(JSON.parse(await readFile(file, 'utf8')))
const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
const [byFunction, byFile] = [new Map<string, number>(), new Map<string, number>()]
const add = (to: Map<string, number>, name: string, ms: number): void => void to.set(name, (to.get(name) ?? 0) + ms)
samples.forEach((id, at) => {
  const frame = frames.get(id)
  if (!frame || frame.functionName === '(idle)') return
  const ms = (timeDeltas[at] ?? 0) / 1000
  const source = frame.url.replace(/^file:\/\//, '').replace(/^.*\/(dist|node_modules)\//, '')
  add(byFunction, `${frame.functionName || '(anonymous)'} ${source}:${frame.lineNumber + 1}`, ms)
  add(byFile, source === '' ? frame.functionName || '(native)' : source, ms)
})
for (const [title, all] of [
  ['function', byFunction],
  ['file', byFile],
] as const) {
  const total = [...all.values()].reduce((sum, ms) => sum + ms, 0)
  say('', `self time by ${title}, of ${total.toFixed(0)} ms`)
  for (const [name, ms] of [...all].sort((a, b) => b[1] - a[1]).slice(0, Number(shown))) {
    say(`${ms.toFixed(0).padStart(8)} ms ${((ms * 100) / total).toFixed(1).padStart(5)} %  ${name}`)
  }
}
