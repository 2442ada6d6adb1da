import { DataferryError } from '../errors.ts'
import type { Entry, ManifestLine } from '../model/entry.ts'

/** What is wrong with a line and what to do about it; `attempt` adds the line number. */
export function badLine(problem: string): DataferryError {
  return new DataferryError('MANIFEST_INVALID', problem)
}

interface Place {
  /** How messages name a line: `manifest.csv:7`. */
  readonly at: (line: number) => string
}

/** The error of one line: `manifest.csv:7: …`. */
export function lineError({ at }: Place, line: number, problem: string): ManifestLine {
  return { line, error: badLine(`${at(line)}: ${problem}`) }
}

/** Reads one line: what `read` throws with `badLine` becomes that line's error. */
export function attempt(place: Place, line: number, read: () => Entry): ManifestLine
/** The same, for lines that may name nothing to fetch. */
export function attempt(place: Place, line: number, read: () => Entry | undefined): ManifestLine | undefined
export function attempt(place: Place, line: number, read: () => Entry | undefined): ManifestLine | undefined {
  try {
    const entry = read()
    return entry && { line, entry }
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'MANIFEST_INVALID')
      return lineError(place, line, error.message)
    throw error
  }
}

const SECRET_VALUE = /\b((?:unblock-)?key|[a-z_-]*token|sig|signature|jsessionid|x-amz-[a-z-]+)=[^&\s]+/gi
const USER_INFO = /(\/\/)[^/@\s]+@/g
/** Dataverse API tokens are UUIDs, and one may be in the wrong column. */
const UUID_END = /\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi
const SHOWN = 80

/** A value of the manifest as it may appear in a message: quoted, at most 80 characters, on one line, secrets masked. */
export function quoted(text: string): string {
  const masked = text
    .slice(0, 8 * SHOWN)
    .replace(SECRET_VALUE, '$1=***')
    .replace(USER_INFO, '$1***@')
    .replace(UUID_END, '$1-***')
  const shown = masked.length > SHOWN ? `${masked.slice(0, SHOWN)}…` : masked
  return `"${shown.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·')}"`
}
