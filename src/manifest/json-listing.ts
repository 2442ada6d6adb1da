import { DataferryError } from '../errors.ts'
import type { Entry, ManifestLine } from '../model/entry.ts'
import type { ListedVersion } from '../model/listing.ts'
import { attempt, badLine, lineError, quoted } from './bad-line.ts'
import { JsonElements, type JsonElement } from './json-elements.ts'
import { readJsonRow } from './json-row.ts'
import type { Reading } from './reading.ts'

/** Where the objects stand that may hold `files`: version JSON, dataset JSON, exports, each with or without envelope. */
const VERSION_PATHS = ['', 'latestVersion', 'datasetVersion', 'data', 'data.latestVersion', 'data.datasetVersion']
/** A list of rows of our own, an answer of `…/versions/{v}/files`, or `files` of a version. */
const LISTS = new Set(['', 'data', ...VERSION_PATHS.map((path) => (path === '' ? 'files' : `${path}.files`))])
const VERSION_FACTS = ['datasetPersistentId', 'versionNumber', 'versionMinorNumber', 'versionState'] as const
const FACTS = new Set([
  'status',
  'message',
  'totalCount',
  ...VERSION_PATHS.flatMap((path) => VERSION_FACTS.map((fact) => (path === '' ? fact : `${path}.${fact}`))),
])

/** Reads a Dataverse listing, dataset or version in JSON, or an array of rows, one element at a time. */
export async function* readJsonListing(
  chunks: AsyncIterable<Uint8Array>,
  reading: Reading,
): AsyncIterable<readonly ManifestLine[]> {
  const listing = new Listing(reading)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of chunks) yield listing.read(decode(() => decoder.decode(chunk, { stream: true })))
    yield listing.read(decode(() => decoder.decode()))
    listing.finish()
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code !== 'MANIFEST_INVALID') throw error
    // The structure is broken: what follows cannot be understood either.
    yield [lineError(reading.name, listing.line, error.message)]
  }
}

function decode(run: () => string): string {
  try {
    return run()
  } catch (error) {
    if (error instanceof TypeError) throw badLine('the JSON is not UTF-8: fetch or save it as UTF-8')
    throw error
  }
}

class Listing {
  readonly #reading: Reading
  readonly #facts = new Map<string, string>()
  readonly #elements = new JsonElements(
    (path) => LISTS.has(path),
    (path, json) => {
      if (!FACTS.has(path)) return
      this.#facts.set(path, json)
      this.#version = this.#readVersion()
    },
  )
  /** The dataset version at hand, which Dataverse writes before its files. */
  #version: ListedVersion | undefined
  #count = 0

  constructor(reading: Reading) {
    this.#reading = reading
  }

  get line(): number {
    return this.#elements.line
  }

  read(piece: string): readonly ManifestLine[] {
    return this.#elements.push(piece).map((element) => this.#element(element))
  }

  /** Ends the listing; throws a bad line when it was none. */
  finish(): void {
    this.#elements.finish()
    const message = this.#fact('message')
    if (this.#fact('status')?.toUpperCase() === 'ERROR') {
      throw badLine(`this is a server's error answer: ${quoted(message ?? '')}: fetch the listing again`)
    }
    if (this.#count === 0) throw badLine('no list of files is in this JSON, or it is empty: give …/versions/{v}/files')
    const total = Number(this.#fact('totalCount') ?? 0)
    if (total > this.#count) {
      this.#reading.notice(
        `${this.#reading.name}: holds ${this.#count} of the dataset's ${total} files: it is one page`,
      )
    }
  }

  #element({ line, text }: JsonElement): ManifestLine {
    this.#count += 1
    return attempt(this.#reading.name, line, () => this.#entry(text, this.#count))
  }

  #entry(text: string, count: number): Entry {
    try {
      const entry = readJsonRow(JSON.parse(text), this.#reading)
      return entry.listed && this.#version ? { ...entry, listedIn: this.#version } : entry
    } catch (error) {
      if (error instanceof SyntaxError) throw badLine(`element ${count} of the list is no valid JSON: correct it`)
      if (error instanceof DataferryError) throw badLine(`element ${count} of the list: ${error.message}`)
      throw error
    }
  }

  #readVersion(): ListedVersion | undefined {
    for (const path of VERSION_PATHS) {
      const fact = (name: (typeof VERSION_FACTS)[number]): string | undefined =>
        this.#fact(path === '' ? name : `${path}.${name}`)
      const dataset = fact('datasetPersistentId')
      const number = fact('versionNumber')
      const version =
        fact('versionState') === 'DRAFT' ? ':draft' : number && `${number}.${fact('versionMinorNumber') ?? 0}`
      if (dataset && version) return { dataset, version }
    }
    return undefined
  }

  #fact(path: string): string | undefined {
    const json = this.#facts.get(path)
    if (json === undefined) return undefined
    try {
      return String(JSON.parse(json))
    } catch {
      // A text that was cut because it is long.
      return json
    }
  }
}
