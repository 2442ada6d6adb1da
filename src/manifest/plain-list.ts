import type { Entry } from '../model/entry.ts'
import { badLine, quoted } from './bad-line.ts'
import type { Reading } from './reading.ts'
import { readReference } from './reference.ts'
import type { ServerList } from './server-list.ts'
import { MAX_WORD, withoutQuotes } from './text.ts'

/**
 * Reads a line of a plain list: one id, PID or URL, bare, in quotes as `jq` prints it, or as the `href` of a link; `#` begins
 * a comment at the start of a line or after a blank, so that a PID may hold one. Undefined when the line names nothing to fetch.
 * Throws a bad line.
 */
export function readListLine(text: string, { servers }: Reading): Entry | undefined {
  const word = withoutComment(text).trim()
  if (word.length > MAX_WORD) throw badLine(`${quoted(word)} is longer than any id, PID or URL`)
  const reference = unwrapped(word, servers)
  if (reference === '') return undefined
  if (/\s/.test(reference))
    throw badLine(`${quoted(reference)} is more than one word: give one id, PID or URL per line`)
  return readReference(reference, 'any', servers)
}

function withoutComment(text: string): string {
  for (let at = text.indexOf('#'); at !== -1; at = text.indexOf('#', at + 1)) {
    if (at === 0 || text.charAt(at - 1).trim() === '') return text.slice(0, at)
  }
  return text
}

/** A reference without the link or quotes around it. */
function unwrapped(text: string, servers: ServerList): string {
  const [, link] = /href=["']([^"'<>]*)["']/i.exec(text) ?? []
  if (link !== undefined) return link.startsWith('/') ? servers.absolute(link) : link
  return withoutQuotes(text)
}
