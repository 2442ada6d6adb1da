import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import { readRow } from './row.ts'
import type { Reading } from './reading.ts'
import { MAX_WORD } from './text.ts'

/**
 * Reads a line of a BagIt `fetch.txt`: `url length path`, where `-` is an unknown length and the path stays below `data/`.
 * Undefined for an empty line. Throws a bad line.
 * @see RFC 8493 §2.2.3; CR, LF and % are percent-encoded in the path, and nothing else is.
 */
export function readFetchLine(text: string, { servers }: Reading): Entry | undefined {
  if (text.trim() === '') return undefined
  const [url, rest] = cutAtBlank(text)
  const [size, encoded] = cutAtBlank(rest)
  if (url === '' || encoded === '' || (size !== '-' && !/^\d+$/.test(size.slice(0, MAX_WORD)))) {
    throw badLine(`${quoted(text)} is not a line of a fetch.txt: give URL, length (or -) and path`)
  }
  const path = decoded(encoded)
  if (!path.startsWith('data/') || path.split('/').includes('..')) {
    throw badLine(`path ${quoted(path)} is not below data/: a fetch.txt lists payload files only`)
  }
  return readRow({ url, size, path }, servers)
}

/** The first word of a text, and what follows it. */
function cutAtBlank(text: string): readonly [word: string, rest: string] {
  const blanks = [text.indexOf(' '), text.indexOf('\t')].filter((at) => at !== -1)
  if (blanks.length === 0) return [text, '']
  const at = Math.min(...blanks)
  return [text.slice(0, at), text.slice(at).trimStart()]
}

function decoded(path: string): string {
  const lines = path.replaceAll('%0A', '\n').replaceAll('%0a', '\n')
  return lines.replaceAll('%0D', '\r').replaceAll('%0d', '\r').replaceAll('%25', '%')
}
