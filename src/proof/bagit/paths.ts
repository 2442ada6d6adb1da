import { DataferryError } from '../../errors.ts'

/** Versions of BagIt that are written. */
export type BagItVersion = '0.97' | '1.0'

/**
 * A path as a manifest or `fetch.txt` writes it. Throws `BAG_REFUSED` for one that a version before 1.0 could not write.
 * @see RFC 8493 §2.1.3: CR, LF and % are percent-encoded, and nothing else; before 1.0 only CR and LF were
 */
export function encodePath(path: string, version: BagItVersion): string {
  if (version !== '1.0' && /%0[AaDd]/.test(path)) {
    const message = `${JSON.stringify(path)} cannot be in a bag of version ${version}: its name would be read as a line break.`
    throw new DataferryError('BAG_REFUSED', message, { advice: 'Give a profile that accepts BagIt 1.0, or none.' })
  }
  const percent = version === '1.0' ? path.replaceAll('%', '%25') : path
  return percent.replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

/** The path that a manifest or `fetch.txt` writes so; a `./` before it means nothing. */
export function decodePath(text: string): string {
  const path = text.replaceAll(/%(?:0[Aa]|0[Dd]|25)/g, (code) => decodeURIComponent(code))
  return path.replace(/^(?:\.\/)+/, '')
}

/**
 * Why a path must not be followed; undefined: it stays inside of its bag on any system.
 * @see RFC 8493 §5.2, §5.3
 */
export function whyUnsafe(path: string): string | undefined {
  const segments = path.split('/')
  if (path.length > LONGEST_PATH) return 'it is longer than any system allows'
  if (segments[0] === '') return 'it is absolute'
  if (/^[A-Za-z]:|^\\\\|^\\/.test(path)) return 'it is absolute on Windows'
  if (path.split(/[/\\]/).some((one) => one === '..')) return 'it leaves the bag'
  if (segments.some((one) => one === '' || one === '.')) return 'it is not a plain path'
  if (path.startsWith('~')) return 'a shell would read it as the folder of a user'
  if (path.includes('\0')) return 'it has a NUL in it'
  return undefined
}

/** Characters: four times what any file system takes. */
const LONGEST_PATH = 16_384
