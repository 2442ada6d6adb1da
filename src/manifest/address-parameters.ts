import { nearest } from '../model/nearest.ts'
import { badLine, quoted } from './bad-line.ts'

/** Parameters of a URL that do not change what is fetched, so they are ignored. `*` matches any end. */
export const HARMLESS = {
  'session and login': ['jsessionid', 'faces-redirect', 'cid', 'dfwid', 'state', 'validTokenButNotLinkedAccount'],
  language: ['lang', 'language', 'locale', 'metadataLanguage'],
  'where the reader came from': [
    ...['utm_*', 'mtm_*', 'pk_*', 'mc_*', '_ga*', '_gl', 'gclid', 'fbclid', 'msclkid', 'ref', 'referrer', 'referer'],
  ],
  'how a page looks': [
    ...['tab', 'termsTab', 'selectTab', 'toolType', 'widget', 'widgetHome', 'widgetScope', 'widgetView', 'heightPx'],
    ...['dvUrl', 'alias', 'showIngestSuccess', 'fileSortField', 'fileSortOrder', 'tagPresort', 'folderPresort'],
  ],
  'what a response says about the files, and in which order': [
    ...['orderCriteria', 'excludeFiles', 'excludeMetadataBlocks', 'returnOwners', 'returnDatasetVersion', 'exporter'],
    ...['includeDeaccessioned', 'ignoreSettingExcludeEmailFromExport'],
  ],
  'how a download is counted': ['gbrecs', 'gbrids'],
} as const satisfies Readonly<Record<string, readonly string[]>>

const NAMES: readonly string[] = Object.values(HARMLESS).flat()
const WHOLE = new Set(NAMES.filter((name) => !name.endsWith('*')))
const STARTS = NAMES.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1))

/** What to do instead of a parameter that is not supported. */
const INSTEAD: Readonly<Record<string, string>> = {
  limit: 'remove it: all pages are read',
  offset: 'remove it: all pages are read',
  start: 'remove it: all pages are read',
  per_page: 'remove it: all pages are read',
  versionId: 'give version= with a number such as 2.0, as a version’s database id cannot be looked up',
  datasetVersionId: 'give version= with a number such as 2.0, as a version’s database id cannot be looked up',
  fileMetadataId: 'remove it, and give version= if the version matters',
  contentType: 'remove it, and use --content-type',
  fileTypeGroupFacet: 'remove it, and use --content-type',
  searchText: 'remove it, and use --include',
  q: 'remove it, and use --include',
}

/**
 * Refuses a parameter that a URL of this kind does not support, unless it is harmless or empty, and one that is given twice
 * with two values. Throws a bad line that names it.
 */
export function checkParameters(query: URLSearchParams, obeyed: readonly string[]): void {
  for (const name of new Set(query.keys())) {
    const values = new Set(query.getAll(name).filter((value) => value !== ''))
    if (values.size === 0 || isHarmless(name)) continue
    const shown = quoted(name).slice(1, -1)
    if (!obeyed.includes(name)) throw badLine(`the URL has ${shown}=, which is not supported: ${instead(name, obeyed)}`)
    if (values.size > 1) throw badLine(`the URL has ${shown}= twice with different values: keep one`)
  }
}

function isHarmless(name: string): boolean {
  return WHOLE.has(name) || STARTS.some((start) => name.startsWith(start))
}

function instead(name: string, obeyed: readonly string[]): string {
  const known = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined
  if (known !== undefined) return known
  const meant = name.length > MAX_NAME ? undefined : nearest(name, obeyed)
  return meant === undefined ? 'remove it if it does not matter' : `did you mean ${meant}=?`
}

const MAX_NAME = 64
