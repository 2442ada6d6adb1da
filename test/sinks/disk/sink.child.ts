import { diskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { DataferryError, messageOf } from '../../../src/errors.ts'
import { execFileSync } from 'node:child_process'
import { unlink } from 'node:fs/promises'
import type { Stage } from '../../../src/sinks/sink.ts'
import { checksumOf, contractHash } from '../../contracts/hash.ts'
import { appendHashed, bytesOf, chunked, itemAt, never, proofOf } from '../../contracts/sink-bytes.ts'

/** What a test tells a child process, which works on one sink and one stage. */
export type Order =
  | { readonly do: 'stage'; readonly key: string; readonly path: string }
  | { readonly do: 'put'; readonly key: string; readonly path: string; readonly bytes: number }
  | { readonly do: 'append'; readonly bytes: number; readonly from: number; readonly to: number }
  | { readonly do: 'commit'; readonly bytes: number }
  /** Resumes from what is kept, which must be something, and commits once the checksum is right. */
  | { readonly do: 'finish'; readonly bytes: number }
  | { readonly do: 'remove'; readonly file: string }
  | { readonly do: 'check' }
  | { readonly do: 'dispose' }
  | { readonly do: 'run'; readonly command: string; readonly args: readonly string[] }

/** The answer to an order: `done`, or the code or message of the error. */
export interface Answer {
  readonly result: string
}

export interface ChildSettings {
  readonly root: string
  readonly heartbeatMs: number
  readonly staleMs: number
}

const [settings] = process.argv.slice(2).map((text) => JSON.parse(text) as ChildSettings)
if (!settings) throw new Error('start with the settings as JSON')
// A file size limit arrives as a signal first; with a listener the write fails with EFBIG.
process.on('SIGXFSZ', () => undefined)

const sink = diskSink(settings.root, settings)
let stage: Stage | undefined

async function obey(order: Order): Promise<void> {
  if (order.do === 'stage') stage = await sink.stage({ key: order.key, item: itemAt(order.path), signal: never })
  if (order.do === 'put') await put(order.key, order.path, bytesOf(order.bytes))
  if (order.do === 'append' && stage) {
    const part = bytesOf(order.bytes).subarray(order.from, order.to)
    await appendHashed(stage, chunked(part, { sizes: [65_536] }))
  }
  if (order.do === 'finish' && stage) await finish(stage, bytesOf(order.bytes))
  if (order.do === 'remove') await unlink(order.file)
  if (order.do === 'check') await sink.check()
  if (order.do === 'dispose') await stage?.[Symbol.asyncDispose]()
  if (order.do === 'run') execFileSync(order.command, order.args)
  if (order.do === 'commit') await stage?.commit(proofOf(bytesOf(order.bytes)))
}

async function put(key: string, path: string, bytes: Buffer): Promise<void> {
  const statement = { checksum: checksumOf(bytes), verified: 'checksum' } as const
  await sink.put({ key, item: itemAt(path, bytes.length), signal: never }, bytes, statement)
}

async function finish(stage: Stage, bytes: Buffer): Promise<void> {
  const hash = await contractHash()
  const from = await stage.resume(hash, never)
  if (from === 0) throw new Error('nothing was kept')
  await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
  if ((await hash.digest()) !== checksumOf(bytes).hex) throw new Error('the bytes are wrong')
  await stage.commit(proofOf(bytes))
}

process.on('message', (order: Order) => {
  obey(order).then(
    () => process.send?.({ result: 'done' } satisfies Answer),
    (error: unknown) => {
      const result = error instanceof DataferryError ? error.code : messageOf(error)
      process.send?.({ result } satisfies Answer)
    },
  )
})
process.send?.({ result: 'ready' } satisfies Answer)
