/** Characters of an export that are looked at for its version: it stands near the beginning, before files and variables. */
const LOOKED_AT = 1024 * 1024

/** Where each form names the version that it describes. @see the mirroring note §3 */
const PLACES: Readonly<Record<string, RegExp>> = {
  'schema.org': /"version"\s?:\s?"?(\d{1,6}(?:\.\d{1,6})?)"?/,
  croissant: /"version"\s?:\s?"?(\d{1,6}(?:\.\d{1,6}){0,2})"?/,
  Datacite: /<version>(\d{1,6}(?:\.\d{1,6})?)<\/version>/,
  oai_datacite: /<version>(\d{1,6}(?:\.\d{1,6})?)<\/version>/,
  ddi: /<version\b[^>]{0,200}>(\d{1,6}(?:\.\d{1,6})?)<\/version>/,
}

/** The version that an export names: `2.1`, or `2` where the form knows major numbers alone; undefined: none. */
export function exportedVersion(exporter: string, text: string): string | undefined {
  const start = text.slice(0, LOOKED_AT)
  if (exporter === 'dataverse_json') return ofDataverseJson(start)
  if (exporter === 'OAI_ORE') return ofMap(start)
  const found = PLACES[exporter]?.exec(start)?.[1]
  return found?.split('.', 2).join('.')
}

/** From 6.4 on the map names the server's own version first, in `dvcore:generatedBy`; versions of files are numbers. */
function ofMap(text: string): string | undefined {
  const describes = text.indexOf('"ore:describes"')
  if (describes < 0) return undefined
  return /"schema:version"\s?:\s?"(\d{1,6}(?:\.\d{1,6})?)"/.exec(text.slice(describes))?.[1]
}

function ofDataverseJson(text: string): string | undefined {
  const major = /"versionNumber"\s?:\s?(\d{1,6})/.exec(text)?.[1]
  const minor = /"versionMinorNumber"\s?:\s?(\d{1,6})/.exec(text)?.[1]
  return major === undefined ? undefined : `${major}.${minor ?? '0'}`
}
