import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import type { Reading } from './reading.ts'
import { readRow } from './row.ts'
import { MAX_WORD } from './text.ts'

/** A word, bare or in quotes, and what follows it; linear, since no part can match where the next one begins. */
const WORD = /^(?:"([^"]*)"|'([^']*)'|([^\s"']+))(?:\s+(.*))?$/s
const HASH = /^(?:[a-z0-9]+:)?[0-9a-f]{32,128}$/i

/** Whether a line is one of a pooch registry: a file's name, its hash and perhaps its URL, separated by spaces. */
export function isPoochLine(line: string): boolean {
  const words = wordsOf(line)
  return !line.includes('\t') && words !== undefined && HASH.test(words[1] ?? '')
}

/**
 * Reads a line of a pooch registry: `name algorithm:hash url`, where a bare hash is SHA-256. Undefined for a line
 * without content. Throws a bad line, also for a file without a URL, which only the program that uses pooch knows.
 * @see https://www.fatiando.org/pooch/latest/registry-files.html
 */
export function readPoochLine(text: string, { servers }: Reading): Entry | undefined {
  const line = text.trim()
  if (line === '' || line.startsWith('#')) return undefined
  const [path, hash = '', url] = wordsOf(line) ?? []
  if (path === undefined || !HASH.test(hash)) {
    throw badLine(`${quoted(line)} is not a line of a pooch registry: give name, hash and URL`)
  }
  if (url === undefined) {
    throw badLine(`${quoted(path)} has no URL in this pooch registry: give the DOI of its base_url as a dataset`)
  }
  return readRow({ url, path, checksum: hash.includes(':') ? hash : `sha256:${hash}` }, servers)
}

/** The two or three words of a line. */
function wordsOf(line: string): readonly string[] | undefined {
  if (line.length > MAX_WORD) return undefined
  const words: string[] = []
  for (let rest: string | undefined = line.trim(); rest !== undefined && rest !== '';) {
    const match: RegExpExecArray | null = WORD.exec(rest)
    if (!match || words.length === 3) return undefined
    words.push(match[1] ?? match[2] ?? match[3] ?? '')
    rest = match[4]
  }
  return words.length < 2 ? undefined : words
}
