/** The PID of a dataset in the pieces that a server writes: `doi`, `10.5072`, `FK2/ABC`. */
export interface PidPieces {
  readonly protocol: string
  readonly authority: string
  readonly identifier: string
  /** Since 5.14 or so; `/` before. PermaLinks may have another, or none. */
  readonly separator?: string | undefined
  /** `https://doi.org/…`; for a PermaLink the URL of a page, with the whole PID as its `persistentId`. */
  readonly persistentUrl?: string | undefined
}

/**
 * Joins the pieces: `doi:10.5072/FK2/ABC`.
 * @see JsonPrinter.java of IQSS/dataverse, json(Dataset)
 */
export function joinedPid({ protocol, authority, identifier, separator, persistentUrl }: PidPieces): string {
  return pidInUrl(persistentUrl) ?? `${protocol}:${authority}${separator ?? '/'}${identifier}`
}

/**
 * What two spellings of one PID have in common: DOIs are compared without case.
 * @see https://www.doi.org/doi-handbook/HTML/case-sensitivity.html
 */
export function pidKey(pid: string): string {
  return pid.startsWith('doi:') ? pid.toUpperCase() : pid
}

function pidInUrl(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined
  return new URL(url).searchParams.get('persistentId') ?? undefined
}
