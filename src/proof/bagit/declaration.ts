import { DataferryError } from '../../errors.ts'
import { wholeFile } from '../tree.ts'
import type { BagSource } from './bag-source.ts'

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

/** Bytes of `bagit.txt`. */
const LONGEST = 1_024

/** What a bag says of itself. Rejects with `BAG_INVALID` for what is none. */
export async function declarationOf(bag: BagSource): Promise<Declaration> {
  const chunks = await bag.read('bagit.txt')
  const bytes = chunks && (await wholeFile(chunks, LONGEST))
  if (chunks && !bytes) {
    throw new DataferryError('BAG_INVALID', `bagit.txt is refused: it has more than ${LONGEST} bytes.`)
  }
  const found = bytes ? readDeclaration(bytes.toString('utf8')) : 'bagit.txt is missing'
  if (typeof found === 'string') throw new DataferryError('BAG_INVALID', `This is no bag: ${found}.`)
  return found
}

/**
 * Reads `bagit.txt`: two lines, in UTF-8 without a byte order mark.
 * @returns why it is none
 * @see RFC 8493 §2.1.1
 */
function readDeclaration(text: string): Declaration | string {
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
