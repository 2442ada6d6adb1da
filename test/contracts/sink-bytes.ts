import type { Readable } from 'node:stream'
import type { Item } from '../../src/model/item.ts'
import type { Verified } from '../../src/model/receipt.ts'
import type { Proof, Sink, Stage } from '../../src/sinks/sink.ts'
import { checksumOf, contractHash } from './hash.ts'

export const never: AbortSignal = new AbortController().signal

/** Bytes that differ everywhere and are the same in every run. */
export function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

/** What tells bytes apart, in a form that is compared and printed quickly. */
export function digestOf(bytes: Uint8Array | undefined): string {
  return bytes ? `${bytes.length} bytes, md5 ${checksumOf(bytes).hex}` : 'nothing'
}

export function itemAt(path: string, size?: number): Item {
  const expect = size === undefined ? {} : { size }
  return { n: 0, server: 'https://demo.invalid', ref: { kind: 'file', file: 1, format: 'original' }, path, expect }
}

export function proofOf(bytes: Uint8Array, verified: Verified = 'checksum'): Proof {
  return { checksum: checksumOf(bytes), size: bytes.length, verified }
}

/**
 * Chunks as a source gives them: of uneven sizes, and all in one buffer, which is overwritten for the next one.
 * After `stopAt` bytes `onStop` is called, and then the source rejects with the signal's reason or ends.
 */
export async function* chunked(
  bytes: Uint8Array,
  options: { sizes?: readonly number[]; stopAt?: number; onStop?: () => void; signal?: AbortSignal } = {},
): AsyncGenerator<Uint8Array> {
  const { sizes = [1, 70_000, 4096, 333_333], stopAt = bytes.length, onStop, signal = never } = options
  const shared = new Uint8Array(Math.max(...sizes))
  for (let at = 0, turn = 0; at < stopAt; turn++) {
    const size = Math.min(sizes[turn % sizes.length] ?? 1, stopAt - at)
    shared.set(bytes.subarray(at, at + size))
    yield shared.subarray(0, size)
    shared.fill(0xee)
    at += size
    await Promise.resolve()
  }
  onStop?.()
  signal.throwIfAborted()
}

/** Appends as the engine does: the hash has seen each chunk before the sink gets it. */
export async function appendHashed(
  stage: Stage,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal = never,
  hash = contractHash(),
): Promise<void> {
  const seen = await hash
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      await seen.update(chunk)
      yield chunk
    }
  }
  await stage.append(hashed(), seen, signal)
}

/** Brings a whole file home. */
export async function store(
  sink: Sink,
  path: string,
  bytes: Uint8Array,
  options: { key?: string; verified?: Verified } = {},
): Promise<void> {
  await using stage = await sink.stage({ key: options.key ?? 'b1-0', item: itemAt(path), signal: never })
  await stage.restart()
  await appendHashed(stage, chunked(bytes))
  await stage.commit(proofOf(bytes, options.verified))
}

export async function contentOf(sink: Sink, path: string): Promise<Buffer> {
  return collect(await sink.read(path, never))
}

export async function collect(chunks: AsyncIterable<Uint8Array> | Readable): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks as AsyncIterable<Uint8Array>) all.push(Buffer.from(chunk))
  return Buffer.concat(all)
}

export async function listing(sink: Sink, below?: string): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {}
  for await (const { path, size } of sink.list(never, below)) found[path] = size
  return found
}
