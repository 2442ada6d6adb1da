import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import type { Reading } from './reading.ts'
import { readReference } from './reference.ts'

/**
 * Reads a line of a plain list: one id, PID or URL; `#` begins a comment at the start of a line or after a blank, so that
 * a PID may hold one. Undefined when the line asks for nothing. Throws a bad line.
 */
export function readListLine(text: string, { servers }: Reading): Entry | undefined {
  const reference = text.replace(/(?:^|\s)#.*$/, '').trim()
  if (reference === '') return undefined
  if (/\s/.test(reference)) throw badLine(`${quoted(reference)} is more than one word: give one id, PID or URL a line`)
  return readReference(reference, 'any', servers)
}
