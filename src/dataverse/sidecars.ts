import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { Identifier } from './identifier.ts'
import type { JsonCalls } from './json-call.ts'
import { encodePath, fileInfoRoute, fileRoute, type Query, type Route } from './route.ts'

/** What belongs to a file besides its bytes. */
const auxiliaryFileSchema = z.looseObject({
  formatTag: z.string().nullish(),
  formatVersion: z.string().nullish(),
  fileSize: z.number().nullish(),
  contentType: z.string().nullish(),
  isPublic: z.boolean().nullish(),
  type: z.string().nullish(),
  origin: z.string().nullish(),
})
/**
 * An auxiliary file of a file.
 */
export interface AuxiliaryFile extends z.infer<typeof auxiliaryFileSchema> {
  /** Newer servers send more. */
  readonly [more: string]: unknown
}

/** Options for the metadata of a tabular file. */
export interface MetadataOptions {
  /** The version: `id` of the file's metadata in it. */
  readonly fileMetadataId?: number | undefined
  /** Only these sections, or all but these. */
  readonly include?: string | undefined
  readonly exclude?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** The format of a citation. `CSL` is JSON, `EndNote` XML, `Internal` HTML, the others plain text. */
export const CITATION_FORMATS = ['EndNote', 'RIS', 'BibTeX', 'CSL', 'Internal'] as const
/** One of `CITATION_FORMATS`. */
export type CitationFormat = (typeof CITATION_FORMATS)[number]

/** The DDI of a tabular file, in XML. */
export async function ddi(calls: JsonCalls, file: Identifier, options: MetadataOptions): Promise<string> {
  const { fileMetadataId, include, exclude, signal } = options
  const query: Query = [
    ...(fileMetadataId === undefined ? [] : [['fileMetadataId', String(fileMetadataId)] as const]),
    ...(include === undefined ? [] : [['include', include] as const]),
    ...(exclude === undefined ? [] : [['exclude', exclude] as const]),
  ]
  return calls.text({ route: fileRoute(file, '/metadata/ddi'), query, signal })
}

/** A citation of a file, as the server writes it. */
export async function citation(
  calls: JsonCalls,
  file: Identifier,
  format: CitationFormat,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (CITATION_FORMATS.includes(format)) return calls.text({ route: fileRoute(file, `/citation/${format}`), signal })
  const message = `"${format as string}" is not a citation format: use ${CITATION_FORMATS.join(', ')}.`
  throw new DataferryError('ARGUMENT_INVALID', message)
}

/** 404 means both "none" and "no such file", so then the file itself is looked up. */
export async function auxiliaryFiles(
  calls: JsonCalls,
  file: Identifier,
  origin: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly AuxiliaryFile[]> {
  const route = fileRoute(file, origin === undefined ? '/auxiliary' : `/auxiliary/${encodePath(origin)}`)
  const found = await calls.find({ route, signal }, z.array(auxiliaryFileSchema), () => true)
  if (found) return found
  await calls.envelope({ route: fileInfoRoute(file), signal })
  return []
}

/** The bytes of one auxiliary file. */
export function auxiliaryRoute(file: Identifier, formatTag: string, formatVersion: string): Route {
  return fileRoute(file, `/auxiliary/${encodePath(formatTag)}/${encodePath(formatVersion)}`)
}
