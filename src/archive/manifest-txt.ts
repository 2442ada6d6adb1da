/** Why the server left a file out, as its `MANIFEST.TXT` says. */
export type SkipReason = 'limit' | 'restricted' | 'embargoed' | 'retention-expired' | 'not-authorized' | 'io-error'

/** A line of `MANIFEST.TXT`. */
export type ManifestTxtLine =
  /** `name` is the name of the entry in the archive. */
  | { readonly kind: 'included'; readonly name: string; readonly mime: string; readonly bytes: number }
  /** `label` is usually the bare label without folder, so it may mean one of several files. */
  | { readonly kind: 'skipped'; readonly label: string; readonly reason: SkipReason; readonly limit?: number }

export interface ManifestTxt {
  readonly lines: readonly ManifestTxtLine[]
  /** Lines of no known form. */
  readonly unknown: readonly string[]
}

/** Names and MIME types are free text, so each form is recognised by its end. @see DataFileZipper.java, Access.java */
const INCLUDED = /^(.*) \(([^()]*)\) (\d+) bytes\.$/
const OVER_LIMIT =
  /^(.*) \(([^()]*)\) {1,2}skipped because the total size of the download bundle exceeded the limit of (-?\d+) bytes\.$/
const NO_ACCESS = /^(.*) IS (RESTRICTED|EMBARGOED|RETENTIONEXPIRED|NOTAUTHORIZED) AND CANNOT BE DOWNLOADED$/
const IO_ERROR = /^(.*) \(([^()]*)\) COULD NOT be downloaded because an I\/O error has occurr?ed\.$/

const NO_ACCESS_REASONS: ReadonlyMap<string, SkipReason> = new Map([
  ['RESTRICTED', 'restricted'],
  ['EMBARGOED', 'embargoed'],
  ['RETENTIONEXPIRED', 'retention-expired'],
  ['NOTAUTHORIZED', 'not-authorized'],
])

/**
 * Reads the `MANIFEST.TXT` that Dataverse puts last in an archive: one line per file, in no order, CRLF.
 * @returns undefined when no line has a known form, so this is some other text and not a manifest; an empty text is
 * the manifest of an archive without files. Never throws.
 * @see the protocol note §2.5.
 */
export function parseManifestTxt(text: string): ManifestTxt | undefined {
  const lines: ManifestTxtLine[] = []
  const unknown: string[] = []
  for (const raw of text.split(/\r?\n/)) {
    if (raw.trim() === '') continue
    const line = parseLine(raw.trimEnd())
    if (line) lines.push(line)
    else unknown.push(raw)
  }
  return lines.length === 0 && unknown.length > 0 ? undefined : { lines, unknown }
}

function parseLine(line: string): ManifestTxtLine | undefined {
  const included = match(INCLUDED, line)
  if (included) return { kind: 'included', name: included[0], mime: included[1], bytes: Number(included[2]) }
  const overLimit = match(OVER_LIMIT, line)
  if (overLimit) return { kind: 'skipped', label: overLimit[0], reason: 'limit', limit: Number(overLimit[2]) }
  const [label, word] = match(NO_ACCESS, line) ?? []
  const reason = NO_ACCESS_REASONS.get(word ?? '')
  if (label !== undefined && reason) return { kind: 'skipped', label, reason }
  const failed = match(IO_ERROR, line)
  return failed ? { kind: 'skipped', label: failed[0], reason: 'io-error' } : undefined
}

/** The groups of a match, absent ones as ''. */
function match(pattern: RegExp, line: string): readonly [string, string, string] | undefined {
  const found = pattern.exec(line)
  return found ? [found[1] ?? '', found[2] ?? '', found[3] ?? ''] : undefined
}

/**
 * Whether an entry has the name that the server would give its manifest: `MANIFEST.TXT`, with one more `0` before it
 * for each such name that a file of the dataset already has.
 */
export function isManifestName(name: string, others: ReadonlySet<string>): boolean {
  if (!/^0*MANIFEST\.TXT$/.test(name)) return false
  for (let own = 'MANIFEST.TXT'; own !== name; own = `0${own}`) if (!others.has(own)) return false
  return true
}

/** Decodes the manifest: UTF-8, or the server platform's one-byte charset on old installations. */
export function decodeManifestTxt(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return Buffer.from(bytes).toString('latin1')
  }
}
