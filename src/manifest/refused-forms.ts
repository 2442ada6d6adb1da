import { MAX_WORD } from './text.ts'

/** Files that people mistake for manifests: refused with one sentence, instead of an error per line. */
interface RefusedForm {
  /** Ends the sentence "the manifest is …". */
  readonly what: string
  /** What to do. */
  readonly instead: string
}

/** By the first 64 KiB or so, as Latin-1. */
const BY_BYTES: readonly (RefusedForm & { readonly is: (start: string) => boolean })[] = [
  { what: 'compressed with gzip', instead: unpacked('gunzip'), is: begins('\x1f\x8b') },
  { what: 'compressed with bzip2', instead: unpacked('bunzip2'), is: begins('BZh') },
  { what: 'compressed with xz', instead: unpacked('unxz'), is: begins('\xfd7zXZ\0') },
  { what: 'compressed with zstd', instead: unpacked('unzstd'), is: begins('\x28\xb5\x2f\xfd') },
  { what: 'an old Excel workbook (.xls)', instead: saved('"CSV UTF-8"'), is: begins('\xd0\xcf\x11\xe0') },
  {
    what: 'an Excel workbook (.xlsx)',
    instead: saved('"CSV UTF-8"'),
    is: (start) => isZip(start) && (start.includes('[Content_Types].xml') || start.includes('xl/')),
  },
  {
    what: 'a LibreOffice spreadsheet (.ods)',
    instead: saved('CSV in UTF-8'),
    is: (start) => isZip(start) && start.includes('opendocument.spreadsheet'),
  },
  { what: 'a ZIP', instead: 'unpack it and give the list in it', is: isZip },
  { what: 'not a text file', instead: 'save it as UTF-8 without NUL characters', is: (start) => start.includes('\0') },
]

/** By the first line with content. */
const BY_LINE: readonly (RefusedForm & { readonly is: RegExp })[] = [
  {
    what: 'a web page',
    instead: 'give the URLs in it one per line, bare or as href="…"',
    is: /^<(?:!doctype html|html|head|body)\b/i,
  },
  {
    what: 'XML, which is not supported',
    instead: 'give a list of URLs, ids or PIDs',
    is: /^<(?:\?xml|metalink)\b/i,
  },
  {
    what: 'a script that calls wget, curl or aria2c',
    instead: 'give the URLs in it, one per line',
    is: /^(?:\$ )?(?:wget|curl|aria2c)\s/,
  },
  { what: 'a curl config file', instead: 'give the URLs in it, one per line', is: /^url\s*=/ },
]

/** For the documentation. */
export const REFUSED_FORMS: readonly RefusedForm[] = [...BY_BYTES, ...BY_LINE]

function begins(magic: string): (start: string) => boolean {
  return (start) => start.startsWith(magic)
}

function isZip(start: string): boolean {
  return start.startsWith('PK\x03\x04')
}

function unpacked(command: string): string {
  return `unpack it with ${command} and give the list in it`
}

function saved(form: string): string {
  return `save it as ${form} and give that file`
}

/**
 * Why a file is not a manifest, by its first bytes, and what to do.
 * @param start the first 64 KiB or so
 */
export function refusedBytes(start: Buffer): string | undefined {
  const text = start.toString('latin1')
  return sentence(BY_BYTES.find(({ is }) => is(text)))
}

/** The same by the first line with content. */
export function refusedText(line: string): string | undefined {
  const first = line.slice(0, MAX_WORD)
  return sentence(BY_LINE.find(({ is }) => is.test(first)))
}

function sentence(form: RefusedForm | undefined): string | undefined {
  return form && `the manifest is ${form.what}: ${form.instead}`
}
