import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { forkProgram } from '../node-program.ts'
import { scriptedServer } from './scripted-server.ts'

const CHILD = fileURLToPath(new URL('memory.child.ts', import.meta.url))
const MIB = 1024 * 1024
const FIVE_GB = 5_000_000_000

describe('memory', () => {
  it('streaming 5 GB takes less than 200 MB: what Node.js and the modules take, and some buffers', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': String(FIVE_GB), 'content-disposition': 'attachment' })
      const block = Buffer.alloc(MIB)
      let left = FIVE_GB
      const more = (): void => {
        while (left > 0) {
          const chunk = block.subarray(0, Math.min(left, block.length))
          left -= chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    })
    // As it is published, in plain JavaScript: no compiler's memory is measured with it.
    const reader = forkProgram(CHILD, [server.url])
    const ended = once(reader, 'exit').then(([code]) =>
      Promise.reject(new Error(`the reader ended with ${String(code)}`)),
    )
    const [told] = (await Promise.race([once(reader, 'message'), ended])) as [{ size: number; maxRss: number }]
    await ended.catch(() => undefined)
    expect(told.size).toBe(FIVE_GB)
    expect(told.maxRss / 1e6).toBeLessThan(200)
  })
})
