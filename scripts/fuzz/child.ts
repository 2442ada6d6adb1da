import { openSync, writeSync } from 'node:fs'
import { z } from 'zod'
import { runCases } from './run-cases.ts'
import { TARGETS } from './target.ts'

/** What a child is told on its command line, as JSON. */
export const orderSchema = z.object({
  name: z.string(),
  /** Gets the number of the case at hand, so that it is known after a hang. */
  progress: z.string(),
  seed: z.number(),
  from: z.number(),
  count: z.number(),
  seconds: z.number(),
})
export type Order = z.infer<typeof orderSchema>

/** One target in a process of its own, so that a hang can be told and ended. Says how it ended to its parent. */
async function work({ name, progress, ...cases }: Order): Promise<void> {
  const target = await TARGETS[name]?.()
  if (!target) return
  const file = openSync(progress, 'w')
  const result = await runCases(target, { ...cases, onCase: (number) => void writeSync(file, `${number}\n`, 0) })
  process.send?.({
    ...result,
    ...(result.broken && { broken: { ...result.broken, material: base64(result.broken.material) } }),
  })
}

function base64(material: string | Uint8Array): string {
  return Buffer.from(material).toString('base64')
}

if (process.send) {
  await work(orderSchema.parse(JSON.parse(process.argv[2] ?? '')))
  process.disconnect()
}
