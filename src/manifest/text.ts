/**
 * Lengths are bounded before anything is matched or normalised, as both may cost more than their length: a line of a manifest
 * has up to 64 KiB, and there may be millions of them.
 */

/** Zero-width characters, soft hyphens and byte order marks: invisible, and copied along from web pages. */
const INVISIBLE = /[\u00ad\u200b-\u200d\u2060\ufeff]/g

/** Longest id, PID, URL or checksum in characters, far more than any has. */
export const MAX_WORD = 8192

/** A short text as people see it: without invisible characters, and trimmed. */
export function clean(text: string): string {
  return text.length > MAX_WORD ? text.trim() : text.replaceAll(INVISIBLE, '').trim()
}

/** A word without the quotes that `jq` prints around it and the comma of a list; any other text as it is, trimmed. */
export function withoutQuotes(text: string): string {
  const word = clean(text)
  if (word.length > MAX_WORD) return word
  const within = /^(?:"([^"]*)"|'([^']*)'),?$/.exec(word)
  return within ? clean(within[1] ?? within[2] ?? '') : word
}
