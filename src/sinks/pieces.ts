/**
 * The same bytes in pieces of `size`, the last one shorter: reports are made line by line, and a call to the system or the
 * store for each line would take longer than everything else. A piece is valid until the next one is asked for.
 */
export async function* pieces(content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(size)
  let length = 0
  for await (const chunk of content) {
    for (let from = 0; from < chunk.length;) {
      const some = chunk.subarray(from, from + size - length)
      piece.set(some, length)
      length += some.length
      from += some.length
      if (length < size) continue
      yield piece
      length = 0
    }
  }
  if (length > 0) yield piece.subarray(0, length)
}
