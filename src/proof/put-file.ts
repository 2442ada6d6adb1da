import type { Sink, Stage, StageOptions } from '../sinks/sink.ts'
import { createHash } from '../transfer/hash.ts'
import { Meter } from '../transfer/meter.ts'

interface Place {
  readonly path: string
  readonly key: string
  /** Undefined: unknown, and a stage is then a claim from its beginning. */
  readonly size?: number | undefined
  readonly signal: AbortSignal
}

/** Puts bytes at a path of a sink; what an earlier try left is written anew. */
export async function putFile(sink: Sink, place: Place, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const stage = await sink.stage(stageOptions(place))
  try {
    await fill(stage, sink, place, chunks)
  } finally {
    await stage[Symbol.asyncDispose]()
    await sink.forget(place.key)
  }
}

/** What a sink is told of a file that is no item of a batch. */
export function stageOptions({ path, key, size, signal }: Place): StageOptions {
  const ref = { kind: 'file', file: 0, format: 'original' } as const
  return { key, item: { n: 0, server: '', ref, path, expect: size === undefined ? {} : { size } }, signal }
}

/** Fills a stage from its beginning, and commits it. A sink remembers what is in it by MD5. */
export async function fill(
  stage: Stage,
  { needsHashState }: Sink,
  { size, signal }: Pick<Place, 'size' | 'signal'>,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const digest = createHash({ algorithm: 'md5', size, saveable: needsHashState })
  try {
    await stage.restart()
    const meter = new Meter(digest, 0)
    await stage.append(meter.through(chunks), digest, signal)
    await stage.commit({ ...(await meter.result()), verified: 'checksum' })
  } finally {
    digest.close()
  }
}
