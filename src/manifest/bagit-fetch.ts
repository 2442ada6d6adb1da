import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import { readRow } from './row.ts'
import type { Reading } from './reading.ts'

const LINE = /^(\S+)[ \t]+(\d+|-)[ \t]+(\S.*)$/

/**
 * Reads a line of a BagIt `fetch.txt`: `url length path`, where `-` is an unknown length and the path stays below `data/`.
 * Undefined for an empty line. Throws a bad line.
 * @see RFC 8493 §2.2.3; CR, LF and % are percent-encoded in the path, and nothing else is.
 */
export function readFetchLine(text: string, { servers }: Reading): Entry | undefined {
  if (text.trim() === '') return undefined
  const [, url, size, encoded] = LINE.exec(text) ?? []
  if (url === undefined || size === undefined || encoded === undefined) {
    throw badLine(`${quoted(text)} is no line of a fetch.txt: give URL, length (or -) and path`)
  }
  const path = encoded.replaceAll(/%0A/gi, '\n').replaceAll(/%0D/gi, '\r').replaceAll('%25', '%')
  if (!path.startsWith('data/') || path.split('/').includes('..')) {
    throw badLine(`path ${quoted(path)} is not below data/: a fetch.txt lists payload files only`)
  }
  return readRow({ url, size, path }, servers)
}
