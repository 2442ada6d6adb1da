/** The server versions that the stand-in can be. */
export const PROFILES = ['5.9', '5.12', '6.1', '6.9', '6.10', '6.11'] as const
export type Profile = (typeof PROFILES)[number]

/** What differs between versions; protocol note §11. */
export interface Features {
  readonly version: Profile
  /** 5.9 sends the asked part, but as a 200 without `Content-Range`. */
  readonly partialContent: boolean
  /** Since 6.1: `limit` and `offset`, counts, `userPermissions`, the ZIP limit route. */
  readonly paging: boolean
  /** Since 6.2: `totalCount`, the limiter, `canDownloadAtLeastOneFile`. */
  readonly totalCount: boolean
  /** Since 6.5: DOIs are compared without case. */
  readonly foldedDois: boolean
  /** Since 6.7: archives are named after the dataset. */
  readonly pidZipNames: boolean
  /** Since 6.10: guestbook enforced, strict id lists in ZIP requests. */
  readonly strict: boolean
  /** Since 6.11: data file citations. */
  readonly citations: boolean
}

export function features(version: Profile): Features {
  const since = (first: Profile): boolean => PROFILES.indexOf(version) >= PROFILES.indexOf(first)
  return {
    version,
    partialContent: since('5.12'),
    paging: since('6.1'),
    totalCount: since('6.9'),
    foldedDois: since('6.9'),
    pidZipNames: since('6.9'),
    strict: since('6.10'),
    citations: since('6.11'),
  }
}
