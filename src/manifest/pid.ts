/** A persistent identifier as dataferry writes it: `doi:10.5072/FK2/ABC`, `hdl:1902.1/A`, `perma:ABC`. */
export interface Pid {
  readonly pid: string
  /** From a suffix: `doi:10.5072/FK2/ABC@2.0`. */
  readonly version?: string
}

const DOI = /^10\.\d{2,9}(?:\.\d+)*\/[^\s\p{Cc}\p{Cf}\p{Cs}]+$/u
const HANDLE = /^[^\s/\p{Cc}\p{Cf}\p{Cs}]+\/[^\s\p{Cc}\p{Cf}\p{Cs}]+$/u
const PERMA = /^[^\s\p{Cc}\p{Cf}\p{Cs}]+$/u
const RESOLVERS: Readonly<Record<string, 'doi' | 'hdl'>> = {
  'doi.org': 'doi',
  'www.doi.org': 'doi',
  'dx.doi.org': 'doi',
  'hdl.handle.net': 'hdl',
}

/** Longest PID in characters: that of the longest URL is enough. */
const MAX_PID = 2048

/**
 * Reads a PID, with or without `doi:`, in any case of the prefix; the rest keeps its case, as PermaLinks and handles may
 * be case-sensitive. A slash may be written `%2F`. Returns undefined when it is not a PID.
 */
export function readPid(text: string): Pid | undefined {
  if (text.length > MAX_PID) return undefined
  const plain = /%2f/i.test(text) ? (decode(text) ?? text) : text
  const at = plain.lastIndexOf('@')
  const version = at > 0 ? readVersion(plain.slice(at + 1)) : undefined
  const pid = normalise(version === undefined ? plain : plain.slice(0, at))
  return pid === undefined ? undefined : { pid, ...(version === undefined ? {} : { version }) }
}

function normalise(text: string): string | undefined {
  if (DOI.test(text)) return `doi:${text}`
  const colon = text.indexOf(':')
  const scheme = text.slice(0, colon).toLowerCase()
  const rest = text.slice(colon + 1)
  if (scheme === 'doi' && DOI.test(rest)) return `doi:${rest}`
  if (scheme === 'hdl' && HANDLE.test(rest)) return `hdl:${rest}`
  if (scheme === 'perma' && PERMA.test(rest)) return `perma:${rest}`
  return undefined
}

/** Whether the URL is a PID resolver's, which names no server and is never contacted. */
export function isResolver(url: URL): boolean {
  return Object.hasOwn(RESOLVERS, url.hostname)
}

/** A resolver URL as papers print it, without `https://`. */
export function isBareResolver(text: string): boolean {
  const slash = text.indexOf('/')
  return slash > 0 && slash <= MAX_HOST && Object.hasOwn(RESOLVERS, text.slice(0, slash).toLowerCase())
}

const MAX_HOST = 253

/** Reads `https://doi.org/10.5072/FK2/ABC`; undefined when the path is not a PID. */
export function readResolverUrl(url: URL): Pid | undefined {
  const name = decode(url.pathname.slice(1))
  if (name === undefined) return undefined
  // The handle system resolves DOIs as well.
  return RESOLVERS[url.hostname] === 'doi' || name.startsWith('10.') ? readPid(name) : readPid(`hdl:${name}`)
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/**
 * Reads a version selector as Dataverse knows it: `2.0`, `2`, `:latest`, `:latest-published`, `:draft`; a number also as
 * `V2`, as citations have it, and the words without colon and in any case, as in the URL of a draft's page.
 */
export function readVersion(text: string): string | undefined {
  if (text.length > MAX_VERSION) return undefined
  const version = text.toLowerCase()
  const number = /^v?(\d{1,9}(?:\.\d{1,9})?)$/.exec(version)?.[1]
  if (number !== undefined) return number
  const word = version.replace(/^:/, '')
  return word === 'latest' || word === 'latest-published' || word === 'draft' ? `:${word}` : undefined
}

const MAX_VERSION = 32
