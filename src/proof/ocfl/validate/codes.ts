import type { TreeEntry } from '../../tree.ts'

/**
 * What the codes of the specification mean, each in one sentence. Those of rules that cannot be broken in one place alone, or that are
 * about programs, are not given.
 * @see https://ocfl.io/1.1/spec/validation-codes.html
 */
const SENTENCES = {
  E001: 'Only a declaration, inventories, versions, logs and extensions may be in an object.',
  E003: 'An object must have one declaration, such as 0=ocfl_object_1.1.',
  E005: 'The name of the declaration must begin with 0=.',
  E006: 'The declaration must name a version of OCFL that exists: 1.0 or 1.1.',
  E007: 'The declaration must contain its own name, without 0=, and a line end.',
  E008: 'An object must have a version.',
  E009: 'Versions must begin with 1.',
  E010: 'Versions must follow one another without a gap.',
  E011: 'Where version numbers are padded, each must begin with a zero.',
  E012: 'Versions must all be named in the same way.',
  E013: 'A new version must be named as those before it.',
  E015: 'Only an inventory and its digest may be beside the content of a version.',
  E017: 'The content directory must be one name, without a slash.',
  E018: 'The content directory must not be . or ..',
  E019: 'The content directory must be the same from the first version on.',
  E020: 'The content directory must not change between versions.',
  E023: 'Every file of the content must be in the manifest.',
  E024: 'There must be no empty folder in the content.',
  E025: 'Content must be addressed by sha512 or sha256.',
  E033: 'An inventory must be a JSON object in UTF-8.',
  E036: 'An inventory must have id, type, digestAlgorithm and head.',
  E037: 'The id of an object must be a text, and the same in every version.',
  E038: 'The type of an inventory must be that of the declared version of OCFL.',
  E039: 'Digests must be of the digestAlgorithm, in hex.',
  E040: 'The head must be the newest version.',
  E041: 'An inventory must have a manifest.',
  E042: 'Content paths must lead to the content of a version of this object.',
  E043: 'An inventory must have versions.',
  E044: 'The versions of an inventory must be a JSON object.',
  E046: 'The versions of an inventory must be the folders of versions that are there.',
  E047: 'A version must be a JSON object.',
  E048: 'A version must have created and state.',
  E049: 'The time of a version must be written as RFC 3339 says, with seconds and time zone.',
  E050: 'The state of a version must be made of digests exactly as the manifest has them.',
  E051: 'The logical paths of a digest must be a list of texts.',
  E052: 'No part of a logical path may be empty, . or ..',
  E053: 'A logical path must not begin or end with a slash.',
  E054: 'The user of a version must have a name.',
  E056: 'Fixity must be of an algorithm that OCFL knows.',
  E057: 'Fixity must be laid out as the manifest is.',
  E058: 'Every inventory must have a file with its digest.',
  E059: 'The digest of an inventory must be of its digestAlgorithm.',
  E060: 'An inventory must have the digest that the file beside it says.',
  E061: 'The digest of an inventory must be written as: DIGEST inventory.json',
  E063: 'An object must have an inventory.',
  E064: 'The inventory of an object must be the same as that of its newest version.',
  E066: 'An earlier inventory must say the same of a version as the newest one.',
  E067: 'Only folders of extensions may be in extensions.',
  E069: 'A storage root must have a declaration, such as 0=ocfl_1.1.',
  E070: 'ocfl_layout.json must be a JSON object with the texts extension and description.',
  E071: 'The extension of ocfl_layout.json must be a registered one.',
  E072: 'There must be no file outside of an object.',
  E073: 'There must be no empty folder in a storage root.',
  E076: 'A storage root must have one declaration.',
  E079: 'The declaration must name a version of OCFL that exists: 1.0 or 1.1.',
  E080: 'The declaration must contain its own name, without 0=, and a line end.',
  E081: 'An object must not be of a later version of OCFL than its storage root.',
  E083: 'An object must be in one place only.',
  E086: 'Only folders of extensions may be in extensions.',
  E089: 'Only files and folders may be here: no devices, pipes or sockets.',
  E090: 'There must be no links.',
  E092: 'The content must be there, with the digest that the manifest says.',
  E093: 'The content must be there, with the digest that fixity says.',
  E094: 'The message of a version must be a text.',
  E095: 'No logical path of a version may be another one, or lead through it.',
  E096: 'A digest must be in the manifest once, in upper or lower case.',
  E097: 'A digest must be in fixity once, in upper or lower case.',
  E099: 'No part of a content path may be empty, . or ..',
  E100: 'A content path must not begin or end with a slash.',
  E101: 'No content path may be another one, or lead through it.',
  E102: 'An inventory must have no keys but those of the specification.',
  E103: 'A version must not be of an earlier version of OCFL than the one before it.',
  E106: 'The manifest must be a JSON object.',
  E107: 'Every digest of the manifest must be in the state of a version.',
  E111: 'Fixity must be a JSON object.',
  E112: 'Only folders of extensions may be in extensions.',
  W001: 'Version numbers should not be padded with zeros.',
  W002: 'A version should have no folder but that of its content.',
  W003: 'A version without content should have no folder for it.',
  W004: 'Content should be addressed by sha512.',
  W005: 'The id of an object should be a URI.',
  W007: 'A version should have a message and a user.',
  W008: 'The user of a version should have an address.',
  W009: 'The address of a user should be a URI, such as mailto: or an ORCID iD.',
  W010: 'Every version should have an inventory.',
  W011: 'An earlier inventory should have the same time, message and user of a version as the newest one.',
  W013: 'An extension should have a registered name.',
  W014: 'An object should be where the layout of its storage root says.',
  W015: 'Objects should all be in folders, or all directly in the storage root.',
  W016: 'An extension should have a registered name.',
} as const

export type OcflCode = keyof typeof SENTENCES
export type OcflRelease = '1.0' | '1.1'

/** What is not as the specification says. A `note` is about what could not be checked. */
export interface OcflFinding {
  readonly level: 'error' | 'warning' | 'note'
  /** Undefined for what the specification has no code for, such as a file that cannot be read. */
  readonly code?: OcflCode | undefined
  readonly path: string
  readonly message: string
}

/** Notes a breach. @param detail what exactly is wrong, without a full stop */
export type Tell = (code: OcflCode, path: string, detail?: string) => void

/** What is said of an entry that is no file and no folder, wherever it is; undefined: it is one of these. */
export function strangeEntry({ kind }: TreeEntry, path: string): OcflFinding | undefined {
  if (kind === 'link') return findingOf('E090', path)
  if (kind === 'other') return findingOf('E089', path)
  if (kind !== 'unreadable') return undefined
  return { level: 'error', path, message: 'It cannot be read, or its name is not UTF-8.' }
}

/** One finding. */
export function findingOf(code: OcflCode, path: string, detail?: string): OcflFinding {
  const message = detail === undefined ? SENTENCES[code] : `${SENTENCES[code]} Here: ${detail}.`
  return { level: code.startsWith('E') ? 'error' : 'warning', code, path, message }
}

/** Text of somebody else, short and on one line. */
export function quoted(text: unknown): string {
  if (typeof text === 'string') {
    const json = JSON.stringify(text.slice(0, 120))
    return text.length > 120 ? `${json.slice(0, -1)}…"` : json
  }
  if (typeof text !== 'object' || text === null) return String(text)
  return Array.isArray(text) ? 'a list' : 'an object'
}

/** Extensions by the names they are registered with. @see https://ocfl.github.io/extensions/ */
export const REGISTERED: ReadonlySet<string> = new Set([
  'initial',
  '0001-digest-algorithms',
  '0002-flat-direct-storage-layout',
  '0003-hash-and-id-n-tuple-storage-layout',
  '0004-hashed-n-tuple-storage-layout',
  '0005-mutable-head',
  '0006-flat-omit-prefix-storage-layout',
  '0007-n-tuple-omit-prefix-storage-layout',
  '0008-schema-registry',
  '0009-digest-algorithms',
  '0010-differential-n-tuple-omit-prefix-storage-layout',
  '0011-direct-clean-path-layout',
  '0012-hash-and-no-prefix-id-n-tuple-storage-layout',
])

/**
 * Algorithms of fixity, and what Node.js calls them; undefined: known, but not checked here.
 * @see https://ocfl.io/1.1/spec/#digests and extensions 0001 and 0009
 */
export const FIXITY: ReadonlyMap<string, string | undefined> = new Map([
  ['md5', 'md5'],
  ['sha1', 'sha1'],
  ['sha256', 'sha256'],
  ['sha512', 'sha512'],
  ['blake2b-512', 'blake2b512'],
  ['sha512/256', 'sha512-256'],
  ['blake2b-160', undefined],
  ['blake2b-256', undefined],
  ['blake2b-384', undefined],
  ['size', undefined],
])
