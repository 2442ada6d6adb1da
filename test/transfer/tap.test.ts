import { expect, test } from 'vitest'
import { tap } from '../../src/transfer/tap.ts'

async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  // One buffer for all, as chunks are valid only until the next one is asked for.
  const buffer = Buffer.alloc(16)
  for (const text of texts) yield await Promise.resolve(buffer.subarray(0, buffer.write(text)))
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) {
    await new Promise((resolve) => setImmediate(resolve))
    text += Buffer.from(chunk).toString()
  }
  return text
}

test('both readers see every chunk while it is valid', async () => {
  const { passing, result } = tap(chunksOf('one', 'two', 'three'), textOf)
  expect(await textOf(passing)).toBe('onetwothree')
  expect(await result).toBe('onetwothree')
})

test('an error of the watcher reaches whoever reads the chunks', async () => {
  const { passing, result } = tap(chunksOf('one', 'two'), async (seen) => {
    for await (const chunk of seen) if (chunk.length > 0) throw new Error('seen enough')
  })
  await expect(textOf(passing)).rejects.toThrow('seen enough')
  await expect(result).rejects.toThrow('seen enough')
})

test('an error of the watcher after the last chunk still comes before the end', async () => {
  const { passing } = tap(chunksOf('one'), async (seen) => {
    await textOf(seen)
    throw new Error('not whole')
  })
  await expect(textOf(passing)).rejects.toThrow('not whole')
})

test('an error of the source reaches both', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield* chunksOf('one')
    throw new Error('broken')
  }
  const { passing, result } = tap(broken(), textOf)
  await expect(textOf(passing)).rejects.toThrow('broken')
  await expect(result).rejects.toThrow('broken')
})

test('a reader that leaves early ends the watcher', async () => {
  const { passing, result } = tap(chunksOf('one', 'two'), textOf)
  for await (const chunk of passing) if (chunk.length > 0) break
  await expect(result).rejects.toThrow('not read to their end')
})
