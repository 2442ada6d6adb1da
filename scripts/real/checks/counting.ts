import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filesIn, must, mustEnd, type Bench } from '../bench.ts'
import type { Check } from '../check.ts'
import { cuttingProxy } from '../cutting-proxy.ts'
import { eventually } from '../installation.ts'
import type { MadeFile } from '../world.ts'

const MIB = 1024 * 1024

/** Each builds on the one before: counts only grow. */
export const COUNTING: readonly Check[] = [
  {
    name: 'a file whose connections break goes on at its byte, comes whole, and is counted once',
    run: async (bench) => {
      const { pid, files } = bench.world.counted
      await using proxy = await cuttingProxy(bench.url, 3 * MIB, 3)
      const to = bench.path('cut')
      const ended = await bench.dataferry(['run', pid, '--to', to, '-j', '1'], 'guest', proxy.url)
      mustEnd(ended, 0)
      for (const { name, content } of files) {
        const path = (await filesIn(to)).find((one) => one.endsWith(name)) ?? ''
        must(md5(await readFile(join(to, path))) === md5(content), `${name} has other bytes`, ended)
      }
      const continued = proxy.asked.filter((range) => range !== undefined)
      must(proxy.redirected || continued.length > 0, 'nothing was continued', ended)
      for (const file of files) await mustCount(bench, file, 1)
    },
  },
  {
    name: 'what is there already is not counted again, nor is a download with --no-count',
    run: async (bench) => {
      const { pid, files } = bench.world.counted
      mustEnd(await bench.dataferry(['run', pid, '--to', bench.path('cut'), '--new']), 0)
      const small = bench.file({ name: 'small.txt' })
      mustEnd(await bench.dataferry(['get', small, '--no-count', '-o', bench.path('uncounted')]), 0)
      for (const file of files) await mustCount(bench, file, 1)
    },
  },
  {
    name: 'get counts once',
    run: async (bench) => {
      const { files } = bench.world.counted
      for (const file of files) {
        await using proxy = await cuttingProxy(bench.url, 3 * MIB, 1)
        mustEnd(await bench.dataferry(['get', String(file.id), '-o', bench.path(file.name)], 'guest', proxy.url), 0)
        await mustCount(bench, file, 2)
      }
    },
  },
]

/** The installation may count a moment after the last byte. */
async function mustCount({ installation }: Bench, { name, id }: MadeFile, wanted: number): Promise<void> {
  const count = await eventually(
    () => installation.downloads(id),
    (seen) => seen >= wanted,
  )
  must(count === wanted, `${name} was counted ${count} times, not ${wanted}`)
}

function md5(bytes: string | Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}
