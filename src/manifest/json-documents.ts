import { DataferryError } from '../errors.ts'
import { JsonError } from '../json/json-error.ts'
import { JsonParts, type JsonPart, type JsonShape } from '../json/json-parts.ts'
import { readJson } from '../json/read-json.ts'
import type { Entry, ManifestLine } from '../model/entry.ts'
import type { ListedVersion } from '../model/listing.ts'
import { attempt, badLine, lineError, quoted } from './bad-line.ts'
import { describedVersion } from './json-dataset.ts'
import { describeObject, readKnownObject } from './json-forms.ts'
import { integerOf, isObject, member, textOf } from './json-object.ts'
import { readJsonRow } from './json-row.ts'
import type { Reading } from './reading.ts'
import { readVersion } from './pid.ts'
import { readReference } from './reference.ts'

const LIST: JsonShape = { each: {} }
const VERSION = { files: LIST, metadataBlocks: { skip: true } } as const satisfies JsonShape['members']
/** A dataset, an export or a version. */
const DATASET = { ...VERSION, latestVersion: { members: VERSION }, datasetVersion: { members: VERSION } }
/** schema.org and Croissant; OAI-ORE. What describes the columns of tables may be far larger than the list of files. */
const LINKED = {
  distribution: LIST,
  'ore:aggregates': LIST,
  'ore:describes': { members: { 'ore:aggregates': LIST } },
  recordSet: { skip: true },
} as const satisfies JsonShape['members']
const ELEMENT: JsonShape = { members: { ...DATASET, ...LINKED } }
/** Where lists may be. */
const DOCUMENT: JsonShape = {
  each: ELEMENT,
  members: { ...DATASET, ...LINKED, items: LIST, data: { each: ELEMENT, members: { ...DATASET, items: LIST } } },
}

/**
 * Reads JSON texts: what a Dataverse answers or exports, and rows of our own, one element at a time. Each text may also
 * be a single element. Where the structure is broken, reading ends with one more bad line.
 */
export async function* readJsonDocuments(
  chunks: AsyncIterable<Uint8Array>,
  reading: Reading,
): AsyncIterable<readonly ManifestLine[]> {
  const documents = new Documents(reading)
  try {
    for await (const parts of readJson(chunks, DOCUMENT, { many: true })) yield documents.read(parts)
  } catch (error) {
    yield [broken(reading, error)]
  }
}

/** Reads a line of NDJSON, which is a text of its own. */
export function readJsonLine(text: string, number: number, reading: Reading): readonly ManifestLine[] {
  const parts = new JsonParts(DOCUMENT, { many: true })
  const documents = new Documents(reading, number)
  try {
    return documents.read([...parts.push(text), ...parts.finish()])
  } catch (error) {
    return [broken(reading, error, number)]
  }
}

function broken(reading: Reading, error: unknown, number?: number): ManifestLine {
  if (!(error instanceof JsonError)) throw error
  const advice = number === undefined ? 'correct it, or download the listing again' : 'give one object per line'
  return lineError(reading, number ?? error.line, `${error.message}: ${advice}`)
}

class Documents {
  readonly #reading: Reading
  /** The line number for all parts, where they have none of their own. */
  readonly #number: number | undefined
  /** Elements of lists in the text at hand. */
  #count = 0
  /** What came before the list at hand about the dataset version it belongs to. */
  #described: Described = {}

  constructor(reading: Reading, number?: number) {
    this.#reading = reading
    this.#number = number
  }

  read(parts: readonly JsonPart[]): readonly ManifestLine[] {
    return parts.flatMap((part) => {
      switch (part.kind) {
        case 'list':
          this.#described = describedBy(part.value)
          return []
        case 'rest':
          return this.#rest(part)
        case 'whole':
          return part.path === '' ? this.#text(part) : this.#element(part)
      }
    })
  }

  /** A text or element with lists ends. */
  #rest({ path, line, value }: JsonPart): readonly ManifestLine[] {
    const problems = [path === '' ? this.#problemOf(value) : undefined, this.#lateFact(value)]
    this.#described = {}
    if (path === '') {
      this.#noticeTotal(value)
      this.#count = 0
    }
    return problems.filter((problem) => problem !== undefined).map((problem) => this.#error(line, problem))
  }

  /** What is wrong with a text as a whole. */
  #problemOf(value: unknown): string | undefined {
    return errorAnswer(value) ?? (this.#count === 0 ? 'the list in this JSON is empty: it names nothing' : undefined)
  }

  /** Facts that came after the files they belong to, which were read without them. */
  #lateFact(value: unknown): string | undefined {
    const { version, selector } = describedBy(value)
    const before = this.#described
    if (JSON.stringify([version, selector]) === JSON.stringify([before.version, before.selector])) return undefined
    return 'its dataset and version are given after its files: keep the order of the server (jq without -S)'
  }

  #noticeTotal(value: unknown): void {
    const { name, notice } = this.#reading
    const files = integerOf(value, 'totalCount') ?? 0
    const found = integerOf(member(value, 'data'), 'total_count') ?? integerOf(value, 'total_count') ?? 0
    if (files > this.#count)
      notice(`${name}: holds ${this.#count} of the dataset's ${files} files: it is only one page`)
    if (found > this.#count)
      notice(`${name}: holds ${this.#count} of the ${found} that were found: --query fetches all`)
  }

  /** A text without lists. */
  #text({ line, value }: JsonPart): readonly ManifestLine[] {
    const refusal = errorAnswer(value)
    if (refusal !== undefined) return [this.#error(line, refusal)]
    const isAnswer = textOf(value, 'status') !== undefined && member(value, 'data') !== undefined
    return [this.#attempt(line, () => this.#entry(isAnswer ? member(value, 'data') : value, !isAnswer))]
  }

  #element({ path, line, value }: JsonPart): readonly ManifestLine[] {
    this.#count += 1
    const count = this.#count
    return [
      this.#attempt(line, () => {
        try {
          return this.#placed(this.#entry(value, path === '[]'))
        } catch (error) {
          if (error instanceof DataferryError) throw badLine(`element ${count} of the list: ${error.message}`)
          throw error
        }
      }),
    ]
  }

  /** @param mayBeRow the value is where a row of our own may be, which a server's lists never are */
  #entry(value: unknown, mayBeRow: boolean): Entry {
    const known = isObject(value) ? readKnownObject(value, this.#reading) : undefined
    if (known) return known
    const { servers } = this.#reading
    if (mayBeRow && (typeof value === 'string' || typeof value === 'number')) {
      return readReference(String(value).trim(), 'any', servers)
    }
    if (mayBeRow && isObject(value)) return readJsonRow(value, this.#reading)
    throw badLine(`${describeObject(value)} is neither a file nor a dataset of a Dataverse: give …/versions/{v}/files`)
  }

  /** An element of a list with what came before it. */
  #placed(entry: Entry): Entry {
    const { version, selector } = this.#described
    if (entry.listed) return version && !entry.listedIn ? { ...entry, listedIn: version } : entry
    if (selector === undefined || entry.target.kind !== 'file') return entry
    return { ...entry, target: { ...entry.target, version: selector } }
  }

  #attempt(line: number, read: () => Entry): ManifestLine {
    return attempt(this.#reading, this.#number ?? line, read)
  }

  #error(line: number, problem: string): ManifestLine {
    return lineError(this.#reading, this.#number ?? line, problem)
  }
}

interface Described {
  /** What Dataverse's own JSON says. */
  readonly version?: ListedVersion | undefined
  /** What Croissant and OAI-ORE say; schema.org has no minor version. */
  readonly selector?: string | undefined
}

function describedBy(value: unknown): Described {
  const linked = [value, member(value, 'ore:describes')].find((inner) => member(inner, '@type') !== undefined)
  const text = textOf(member(value, 'ore:describes') ?? linked, 'schema:version') ?? textOf(linked, 'version')
  const isWhole = text !== undefined && /^(?:\d+\.\d+|DRAFT)$/.test(text)
  return { version: describedVersion(value), selector: isWhole ? readVersion(text) : undefined }
}

function errorAnswer(value: unknown): string | undefined {
  if (textOf(value, 'status')?.toUpperCase() !== 'ERROR') return undefined
  return `this is a server's error response: ${quoted(textOf(value, 'message') ?? '')}: download the listing again`
}
