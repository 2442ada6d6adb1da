import { MAX_WORD } from './text.ts'

/** First bytes of files that are no text, and what to do with each. */
const BY_BYTES: readonly (readonly [start: string, sentence: string])[] = [
  ['\x1f\x8b', 'the manifest is compressed: give it as gunzip -c … | dataferry … -m -'],
  ['BZh', 'the manifest is compressed: give it as bunzip2 -c … | dataferry … -m -'],
  ['\xfd7zXZ\0', 'the manifest is compressed: give it as xz -dc … | dataferry … -m -'],
  ['\x28\xb5\x2f\xfd', 'the manifest is compressed: give it as zstd -dc … | dataferry … -m -'],
  ['\xd0\xcf\x11\xe0', 'the manifest is an old Excel workbook (.xls): save it there as "CSV UTF-8" and give that file'],
]
const ZIP = 'PK\x03\x04'

/**
 * Why a file is no manifest by its first bytes, and what to do: one sentence for the whole, in place of an error a line.
 * @param start the first 64 KiB or so
 */
export function refusedBytes(start: Buffer): string | undefined {
  const text = start.toString('latin1')
  for (const [magic, sentence] of BY_BYTES) if (text.startsWith(magic)) return sentence
  if (text.startsWith(ZIP)) return zipForm(text)
  if (text.includes('\0')) return 'the manifest is no text: save it as UTF-8 without NUL characters'
  return undefined
}

function zipForm(text: string): string {
  if (text.includes('[Content_Types].xml') || text.includes('xl/')) {
    return 'the manifest is an Excel workbook (.xlsx): save it there as "CSV UTF-8" and give that file'
  }
  if (text.includes('opendocument.spreadsheet')) {
    return 'the manifest is a LibreOffice spreadsheet (.ods): save it there as CSV in UTF-8 and give that file'
  }
  return 'the manifest is a ZIP: unpack it and give the list in it'
}

/** The same by the first line that says something. */
export function refusedText(line: string): string | undefined {
  const first = line.slice(0, MAX_WORD)
  if (/^<(?:!doctype html|html|head|body)\b/i.test(first)) {
    return 'the manifest is a web page: give the addresses in it one a line, bare or as href="…"'
  }
  if (/^<\?xml\b|^<metalink\b/i.test(first)) {
    return 'the manifest is XML, of which no form is read: give a list of addresses, ids or PIDs'
  }
  const [, tool] = /^(?:url\s*=|(?:\$ )?(wget|curl|aria2c)\s)/.exec(first) ?? []
  if (tool !== undefined || /^url\s*=/.test(first)) {
    return `the manifest is ${tool === undefined ? 'a config file of curl' : `a script that calls ${tool}`}: give the addresses in it, one a line`
  }
  return undefined
}
