/** What `bagit.txt` says. */
export interface Declaration {
  /** `1.0` */
  readonly version: string
  /** A label that `TextDecoder` knows. */
  readonly encoding: string
}

const STRICT = /^BagIt-Version: (\d+\.\d+)(?:\r\n|\n|\r)Tag-File-Character-Encoding: ([!-~]+)(?:\r\n|\n|\r)?$/
/** Drafts before 1.0 said less about blanks. */
const LENIENT =
  /^BagIt-Version[ \t]*:[ \t]*(\d+\.\d+)[ \t]*(?:\r\n|\n|\r)Tag-File-Character-Encoding[ \t]*:[ \t]*([!-~]+)\s*$/
const KNOWN_VERSIONS: readonly string[] = ['0.93', '0.94', '0.95', '0.96', '0.97', '1.0']

/**
 * Reads `bagit.txt`: two lines, in UTF-8 without a byte order mark.
 * @returns why it is none
 * @see RFC 8493 §2.1.1
 */
export function readDeclaration(text: string): Declaration | string {
  const found = LENIENT.exec(text)
  if (!found) return 'bagit.txt does not say version and encoding in two lines'
  const [, version = '', label = ''] = found
  if (!KNOWN_VERSIONS.includes(version)) return `bagit.txt has an unknown version, ${version}`
  if (version === '1.0' && !STRICT.test(text)) return 'bagit.txt has blanks where none may be'
  try {
    return { version, encoding: new TextDecoder(label).encoding }
  } catch {
    return `bagit.txt has an unknown encoding, ${label}`
  }
}
