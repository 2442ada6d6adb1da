import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { JsonError } from '../json/json-error.ts'
import type { JsonPart, JsonShape } from '../json/json-parts.ts'
import { readJson } from '../json/read-json.ts'
import type { Entry, ManifestLine } from '../model/entry.ts'
import type { ListedVersion } from '../model/listing.ts'
import { attempt, badLine, lineError, quoted } from './bad-line.ts'
import { readJsonRow } from './json-row.ts'
import type { Reading } from './reading.ts'

const VERSION = { files: { each: {} }, metadataBlocks: { skip: true } } as const satisfies JsonShape['members']
const DATASET = { ...VERSION, latestVersion: { members: VERSION }, datasetVersion: { members: VERSION } }
/** A list of rows of our own, an answer of `…/versions/{v}/files`, or `files` of a version, each with or without envelope. */
const LISTING: JsonShape = { each: {}, members: { ...DATASET, data: { each: {}, members: DATASET } } }

/** Reads a Dataverse listing, dataset or version in JSON, or an array of rows, one element at a time. */
export async function* readJsonListing(
  chunks: AsyncIterable<Uint8Array>,
  reading: Reading,
): AsyncIterable<readonly ManifestLine[]> {
  const listing = new Listing(reading)
  try {
    for await (const parts of readJson(chunks, LISTING)) yield parts.flatMap((part) => listing.read(part))
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    // The structure is broken: what follows cannot be understood either.
    yield [lineError(reading.name, error.line, `${error.message}: correct it, or fetch the listing again`)]
  }
}

class Listing {
  readonly #reading: Reading
  /** The dataset version at hand, which Dataverse writes before its files. */
  #version: ListedVersion | undefined
  #count = 0

  constructor(reading: Reading) {
    this.#reading = reading
  }

  read({ kind, path, line, value }: JsonPart): readonly ManifestLine[] {
    if (kind === 'list') this.#version = versionOf(value)
    if (kind === 'list') return []
    if (path === '') return this.#end(line, value)
    return [this.#element(line, value)]
  }

  /** Everything but the lists has come: says what was none. */
  #end(line: number, value: unknown): readonly ManifestLine[] {
    const { status, message, totalCount } = envelopeSchema.safeParse(value).data ?? {}
    if (status?.toUpperCase() === 'ERROR') {
      const problem = `this is a server's error answer: ${quoted(message ?? '')}: fetch the listing again`
      return [lineError(this.#reading.name, line, problem)]
    }
    if (this.#count === 0) {
      const problem = 'no list of files is in this JSON, or it is empty: give …/versions/{v}/files'
      return [lineError(this.#reading.name, line, problem)]
    }
    if (totalCount !== undefined && totalCount > this.#count) {
      this.#reading.notice(
        `${this.#reading.name}: holds ${this.#count} of the dataset's ${totalCount} files: it is one page`,
      )
    }
    return []
  }

  #element(line: number, value: unknown): ManifestLine {
    this.#count += 1
    return attempt(this.#reading.name, line, () => this.#entry(value, this.#count))
  }

  #entry(value: unknown, count: number): Entry {
    try {
      const entry = readJsonRow(value, this.#reading)
      return entry.listed && this.#version ? { ...entry, listedIn: this.#version } : entry
    } catch (error) {
      if (error instanceof DataferryError) throw badLine(`element ${count} of the list: ${error.message}`)
      throw error
    }
  }
}

const envelopeSchema = z.looseObject({
  status: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  totalCount: z.number().optional().catch(undefined),
})
const versionSchema = z.looseObject({
  datasetPersistentId: z.string().min(1),
  versionNumber: z.number().optional().catch(undefined),
  versionMinorNumber: z.number().catch(0),
  versionState: z.string().optional().catch(undefined),
})

/** The dataset version that a document or its envelope speaks of, wherever in it. */
function versionOf(value: unknown): ListedVersion | undefined {
  for (const inner of [value, member(value, 'data')]) {
    for (const candidate of [inner, member(inner, 'latestVersion'), member(inner, 'datasetVersion')]) {
      const { data } = versionSchema.safeParse(candidate)
      if (!data) continue
      const { datasetPersistentId: dataset, versionState, versionNumber, versionMinorNumber } = data
      if (versionState === 'DRAFT') return { dataset, version: ':draft' }
      if (versionNumber !== undefined) return { dataset, version: `${versionNumber}.${versionMinorNumber}` }
    }
  }
  return undefined
}

function member(value: unknown, name: string): unknown {
  const object = z.looseObject({}).safeParse(value).data
  return object && Object.hasOwn(object, name) ? object[name] : undefined
}
