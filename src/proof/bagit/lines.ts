import { TextDecoder } from 'node:util'
import { DataferryError } from '../../errors.ts'

/** Characters of a line of a manifest, and bytes of one manifest. */
const LONGEST_LINE = 64 * 1024
const LONGEST_FILE = 8 * 2 ** 30

/** The lines of a tag file, whatever ends them, decoded. Rejects with `BAG_INVALID` beyond all bounds. */
export async function* textLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  encoding: string,
): AsyncGenerator<string, void> {
  let decoder: TextDecoder | undefined
  let kept = ''
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > LONGEST_FILE) throw tooLong(name)
    decoder ??= decoderFor(encoding, chunk)
    kept += decoder.decode(chunk, { stream: true })
    // A CR at the very end may be half of a line end.
    const lines = kept.split(/\r\n|\n|\r(?!$)/)
    kept = lines.pop() ?? ''
    if (kept.length > LONGEST_LINE || lines.some((line) => line.length > LONGEST_LINE)) throw tooLong(name)
    yield* lines
  }
  kept += decoder?.decode() ?? ''
  for (const line of kept.split(/\r\n|\n|\r/)) if (line !== '') yield line
}

/** A decoder for a text that begins with these bytes: UTF-16 says by its first two which of its forms it is. */
export function decoderFor(encoding: string, start: Uint8Array): TextDecoder {
  const isBigEndian = encoding === 'utf-16le' && start[0] === 0xfe && start[1] === 0xff
  return new TextDecoder(isBigEndian ? 'utf-16be' : encoding)
}

function tooLong(name: string): DataferryError {
  return new DataferryError('BAG_INVALID', `${name} is refused: it is longer than a manifest can be.`)
}
