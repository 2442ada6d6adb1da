import { setImmediate } from 'node:timers/promises'
import { DataferryError } from '../../src/errors.ts'
import type { Checksum } from '../../src/model/checksum.ts'
import type { Item, Ref } from '../../src/model/item.ts'
import type { OpenOptions, OpenSource } from '../../src/model/source.ts'
import type { ReconnectOptions } from '../../src/transfer/resuming-reader.ts'
import { checksumOf } from '../contracts/hash.ts'
import { chunked } from '../contracts/sink-bytes.ts'

/** What one request meets; everything left out goes well. */
export interface Step {
  /** Refused before any answer. */
  readonly refuse?: Error
  /** The connection breaks after this many bytes of the answer. */
  readonly cutAfter?: number
  /** The answer ends in order after this many bytes. */
  readonly endAfter?: number
  readonly ignoreRange?: boolean
  /** Goes on behind the end that was asked for. */
  readonly ignoreEnd?: boolean
  /** Turns of the event loop before each chunk. */
  readonly turns?: number
  /** The answer comes from a store, and a request with the link to it meets this step. */
  readonly stored?: boolean
  /** The answer begins this much later than asked. */
  readonly shift?: number
  /** Other bytes than those of the file. */
  readonly bytes?: Uint8Array
  /** What the server says of the whole; null: nothing. */
  readonly size?: number | null
  readonly etag?: string
  /** What the answer says that its bytes are encoded with. */
  readonly encoding?: string
  /** The answer comes from a store, to which a counted link led. */
  readonly counted?: boolean
  /** Called when the bytes of the answer have been taken. */
  readonly then?: () => void
}

interface Asked {
  readonly ref: Ref
  readonly from: number
  readonly to?: number
  readonly count: boolean
  readonly headerless: boolean
  readonly encoded?: OpenOptions['encoded']
  readonly spare?: boolean
  /** It went to the store by a link. */
  readonly linked?: boolean
}

export interface ScriptedSource {
  readonly open: OpenSource
  readonly asked: Asked[]
  /** Answers that were left or read to the end. */
  readonly closed: () => number
  /** Bytes of all answers that were read. */
  readonly sent: () => number
}

/**
 * A source that follows a script, a step per request, and serves `bytes` as they are afterwards.
 * @param rest meets every request behind the script
 */
export function scriptedSource(
  bytes: Uint8Array,
  steps: readonly Step[] = [],
  sizes: readonly number[] = [1, 700, 4096, 33],
  rest: Step = {},
): ScriptedSource {
  const asked: Asked[] = []
  let closed = 0
  let sent = 0
  const link = {}
  async function* body(answer: Uint8Array, step: Step, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const stopAt = Math.min(answer.length, step.cutAfter ?? step.endAfter ?? answer.length)
    try {
      for await (const chunk of chunked(answer, { sizes, stopAt, signal })) {
        for (let turn = 0; turn < (step.turns ?? 0); turn++) await setImmediate()
        signal.throwIfAborted()
        sent += chunk.byteLength
        yield chunk
      }
      step.then?.()
      signal.throwIfAborted()
      if (step.cutAfter !== undefined) throw broken()
    } finally {
      closed++
    }
  }
  const open = (ref: Ref, from: number, options: OpenOptions) => {
    const { signal, count, headerless = false, encoded, to, spare, link: given } = options
    const step = steps[asked.length] ?? rest
    asked.push({
      ref,
      from,
      count,
      headerless,
      ...(encoded && { encoded }),
      ...(to !== undefined && { to }),
      ...(spare && { spare }),
      ...(given && { linked: true }),
    })
    if (step.refuse) return Promise.reject(step.refuse)
    const whole = step.bytes ?? bytes
    const start = step.ignoreRange ? 0 : from + (step.shift ?? 0)
    return Promise.resolve({
      body: body(whole.subarray(start, step.ignoreRange || step.ignoreEnd ? undefined : to), step, signal),
      from: start,
      size: step.size === null ? undefined : (step.size ?? whole.length),
      etag: step.etag,
      contentType: undefined,
      encoding: encoded === 'decoded' ? undefined : step.encoding,
      counted: step.counted ?? step.stored ?? false,
      link: step.stored ? link : undefined,
    })
  }
  return { open, asked, closed: () => closed, sent: () => sent }
}

export function broken(): DataferryError {
  return new DataferryError('SOURCE_UNREACHABLE', 'The connection broke.')
}

/** Reconnecting without waits. */
export const AT_ONCE: ReconnectOptions = { retries: 3, minDelayMs: 0, maxDelayMs: 0 }

interface ItemOptions {
  readonly n?: number
  readonly path?: string
  readonly size?: number | undefined
  readonly checksum?: Checksum | undefined
  readonly ref?: Ref
}

/** An item that promises `bytes`, but for what the options say otherwise. */
export function itemFor(bytes: Uint8Array, options: ItemOptions = {}): Item {
  const { size, checksum } = { size: bytes.length, checksum: checksumOf(bytes), ...options }
  return {
    n: options.n ?? 0,
    server: 'https://demo.invalid',
    ref: options.ref ?? { kind: 'file', file: 1, format: 'original' },
    path: options.path ?? 'a/data.bin',
    expect: { ...(size !== undefined && { size }), ...(checksum && { checksum }) },
  }
}
