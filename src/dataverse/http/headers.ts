/** Response headers as undici hands them out: lower-case names. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** The value of a header, by its lower-case name. Of a repeated header the first: none that we read may be repeated. */
export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}

/** The bytes that an answer covers: offsets from 0, `to` inclusive; `size` is the whole, undefined for `*`. */
export interface ContentRange {
  readonly from: number
  readonly to: number
  readonly size: number | undefined
}

/**
 * Reads a `Content-Range` header: `bytes 500-999/1234` → `{ from: 500, to: 999, size: 1234 }`.
 * @returns undefined when absent, malformed or in another unit; never throws.
 * @see RFC 9110 §14.4. Old servers honour a range without sending this, so its absence does not mean "whole file".
 */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = /^\s*bytes\s+(\d+)-(\d+)\/(\d+|\*)\s*$/i.exec(value ?? '')
  if (!match) return undefined
  const from = Number(match[1])
  const to = Number(match[2])
  const size = match[3] === '*' ? undefined : Number(match[3])
  const sound =
    Number.isSafeInteger(to) && from <= to && (size === undefined || (to < size && Number.isSafeInteger(size)))
  return sound ? { from, to, size } : undefined
}

/** Reads a `Content-Length`: bytes, or undefined when absent or not a plain number. */
export function parseContentLength(value: string | undefined): number | undefined {
  if (!/^\d+$/.test(value ?? '')) return undefined
  const length = Number(value)
  return Number.isSafeInteger(length) ? length : undefined
}

/** The longest wait before the next look, whatever a server says. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

/**
 * Reads a `Retry-After` header, seconds or an HTTP date, as milliseconds from `now`: at most an hour, and 0 for a moment
 * that has passed.
 * @see RFC 9110 §10.2.3. Dataverse's own limiter sends none; proxies in front of it do.
 */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  const text = value?.trim() ?? ''
  if (text.length > LONGEST_DATE) return undefined
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_RETRY_AFTER_MS)
  // An HTTP date names its weekday; anything else that Date.parse would take is not one.
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), LONGEST_RETRY_AFTER_MS)
}

/** Characters of an HTTP date, with room for old spellings of it. */
const LONGEST_DATE = 64

/** An `ETag` when it is a strong validator, quotes included; undefined for a weak or malformed one. */
export function strongEtag(value: string | undefined): string | undefined {
  return /^"[^"]*"$/.test(value?.trim() ?? '') ? value?.trim() : undefined
}

/** The media type of a `Content-Type`, in lower case and without parameters. */
export function mediaType(value: string | undefined): string | undefined {
  const type = value?.split(';')[0]?.trim().toLowerCase()
  return type === '' ? undefined : type
}

/** Twice a name of 255 bytes in both spellings, percent-encoded. */
const LONGEST_DISPOSITION = 4096

/**
 * The file name of a `Content-Disposition`, in either spelling: Dataverse percent-encodes the plain `filename="…"`,
 * object stores send `filename*=UTF-8''…` (RFC 5987), which wins. Folders in the name are dropped (RFC 6266 §4.3).
 * @returns undefined when no usable name is in it, or when it is longer than any name is; never throws.
 */
export function parseFileName(value: string | undefined): string | undefined {
  if (value === undefined || value.length > LONGEST_DISPOSITION) return undefined
  const extended = /;\s*filename\*\s*=\s*"?([\w-]+)'[^']*'([^;"]*)"?/i.exec(value)
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/i.exec(value)
  const name = extended
    ? decodePercent(extended[2] ?? '')
    : decodePercent(fromLatin1((plain?.[1]?.replaceAll(/\\(.)/g, '$1') ?? plain?.[2] ?? '').trim()))
  const base = name.split(/[/\\]/).at(-1)
  return base === '' || base === '.' || base === '..' ? undefined : base
}

/** A name with a lone `%` was not encoded, and is kept as it is. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Raw UTF-8 in a header arrives as one character per byte; what does not decode was really Latin-1. */
function fromLatin1(text: string): string {
  if (Buffer.from(text, 'latin1').toString('latin1') !== text) return text
  const decoded = Buffer.from(text, 'latin1').toString('utf8')
  return decoded.includes('\ufffd') ? text : decoded
}
