import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DataferryError } from '../errors.ts'
import { diskSink, type DiskSinkOptions } from './disk/disk-sink.ts'
import { parseLocation } from './s3/location.ts'
import type { S3Options } from './s3/client.ts'
import { isAmongRecords, RECORDS_FOLDER } from './names.ts'
import type { Sink } from './sink.ts'

/** Options of each kind of sink; every field is for one kind. */
export interface OpenSinkOptions {
  /** The base of relative paths; default: the working directory of the process. */
  readonly cwd?: string
  readonly disk?: DiskSinkOptions
  readonly s3?: S3Options
}

interface Scheme {
  /** The normal form of a URL: equal places have equal forms. */
  readonly normalize: (url: URL) => string
  readonly open: (url: string, options: OpenSinkOptions) => Promise<Sink>
}

/** A sink per URL scheme. An SDK that only one sink needs is imported when that sink is opened. */
const SCHEMES: Readonly<Record<string, Scheme>> = {
  file: {
    normalize: (url) => pathToFileURL(folderOf(url)).href,
    open: (url, { disk }) => Promise.resolve(diskSink(fileURLToPath(url), disk)),
  },
  s3: {
    normalize: (url) => parseLocation(url.href).url,
    open: async (url, { s3 }) => (await import('./s3/s3-sink.ts')).openS3Sink(url, s3),
  },
}

/**
 * Opens the sink for a destination as a user or a batch names it: `./dir`, `/abs/dir`, `file:///abs/dir`,
 * `s3://bucket/prefix`.
 * Nothing is created or contacted yet. The caller closes it. Rejects with `CONFIG_INVALID`.
 */
export async function openSink(destination: string, options: OpenSinkOptions = {}): Promise<Sink> {
  const url = destinationUrl(destination, options.cwd ?? process.cwd())
  return schemeOf(new URL(url)).open(url, options)
}

/**
 * A destination as an absolute URL: `('data', '/home/a')` → `file:///home/a/data`. Paths that name the same folder give
 * the same URL, without a slash at the end. Throws `CONFIG_INVALID` for other schemes, for credentials in a URL, and for what is among
 * the records of a destination.
 */
export function destinationUrl(text: string, cwd: string): string {
  const url = absoluteUrl(text, cwd)
  if (!isAmongRecords(new URL(url).pathname)) return url
  const message = `${text} is among the records of a destination: give the folder that has ${RECORDS_FOLDER} in it, or another one.`
  throw new DataferryError('CONFIG_INVALID', message)
}

function absoluteUrl(text: string, cwd: string): string {
  if (text.trim() === '')
    throw new DataferryError('CONFIG_INVALID', 'The destination is empty: give a folder or a URL.')
  if (!/^(?:file:|[a-z][a-z0-9+.-]+:\/\/)/i.test(text)) return pathToFileURL(resolve(cwd, text)).href
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url) throw new DataferryError('CONFIG_INVALID', 'The destination looks like a URL but is not a valid one.')
  const scheme = schemeOf(url)
  if (url.username !== '' || url.password !== '') {
    throw new DataferryError(
      'CONFIG_INVALID',
      'The destination URL contains credentials: give them by environment or file.',
    )
  }
  return scheme.normalize(url)
}

function schemeOf(url: URL): Scheme {
  const name = url.protocol.slice(0, -1)
  const scheme = Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined
  if (scheme) return scheme
  const known = Object.keys(SCHEMES).map((one) => `${one}://`)
  throw new DataferryError(
    'CONFIG_INVALID',
    `${name}:// is not supported: use a folder, or one of ${known.join(', ')}.`,
  )
}

function folderOf(url: URL): string {
  try {
    const path = fileURLToPath(url)
    if (isAbsolute(path)) return resolve(path)
  } catch {
    // A host, or an encoded slash: falls through to the one message.
  }
  throw new DataferryError(
    'CONFIG_INVALID',
    'A file URL needs an absolute path on this machine, as in file:///srv/data.',
  )
}
