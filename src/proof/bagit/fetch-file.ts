import { textLines } from './lines.ts'
import { decodePath, whyUnsafe } from './paths.ts'

/** A line of `fetch.txt`. */
export interface FetchLine {
  readonly url: string
  /** Undefined: unknown. */
  readonly size: number | undefined
  readonly path: string
}

/**
 * Reads `fetch.txt`: URL, length or `-`, and path.
 * @see RFC 8493 §2.2.3
 */
export async function* readFetchFile(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
): AsyncGenerator<FetchLine | { readonly wrong: string }, void> {
  for await (const line of textLines(chunks, 'fetch.txt', encoding)) {
    if (line.trim() === '') continue
    const [, url = '', size = '', text = ''] = /^(\S+)[ \t]+(\d{1,16}|-)[ \t]+(.+)$/s.exec(line) ?? []
    const path = decodePath(text)
    const why = text === '' ? 'it is no line of a fetch.txt' : whyNot(url, path)
    if (why !== undefined) yield { wrong: `It has ${JSON.stringify(line.slice(0, 200))}: ${why}.` }
    else yield { url, size: size === '-' ? undefined : Number(size), path }
  }
}

function whyNot(url: string, path: string): string | undefined {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return 'it is not fetched by http or https'
  const why = whyUnsafe(path)
  if (why !== undefined) return why
  return path.startsWith('data/') ? undefined : 'its path is not below data/'
}
