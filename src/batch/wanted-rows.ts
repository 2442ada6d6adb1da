import { z } from 'zod'
import { formatRecord } from '../manifest/record.ts'
import type { BatchId } from '../model/batch.ts'
import { checksumSchema } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import { inertCell, WANTED_COLUMNS } from '../model/own-tables.ts'
import { visibleText } from '../model/visible-text.ts'
import type { Records } from '../sinks/sink.ts'
import { ExternalSort, numberKey } from './external-sort.ts'
import { ItemsReader } from './items-file.ts'
import { wordsOf, type Bytes, type Finding } from './verify-destination.ts'

type Asked = NonNullable<NonNullable<Item['problem']>['asked']>

/** The first line of a table of items that is itself a manifest; `code` and `message` say why each is in it, for people. */
export const WANTED_HEADER = csvRow(WANTED_COLUMNS)

/** The line that requests an item again, to the same path. */
export function wantedRow(item: Item, code: string, message: string): Uint8Array {
  const { checksum, size } = item.expect
  const promise = checksum ? `${checksum.algorithm}:${checksum.hex}` : ''
  return csvRow([item.server, ...asked(item), formatOf(item), size ?? '', promise, code, message])
}

/** Whether it is known what to request; see `NO_REF`. */
export function canBeAsked({ ref }: Item): boolean {
  return ref.kind !== 'file' || ref.file !== 0
}

/** A row for people and spreadsheets: control characters are made visible, formulas inert. */
export function csvRow(cells: readonly (string | number)[]): Uint8Array {
  return Buffer.from(csvText(cells))
}

/** The same as text. */
export function csvText(cells: readonly (string | number)[]): string {
  return `${formatRecord(cells.map((cell) => inertCell(visibleText(String(cell)))))}\r\n`
}

/** The columns kind, id, dataset, version and path. */
function asked({ ref, path, problem }: Item): readonly (string | number)[] {
  // What could not be planned is requested in the manifest's words: its path is only a placeholder.
  if (problem?.asked) return askedAgain(problem.asked)
  switch (ref.kind) {
    case 'file':
      return ['file', ref.file, '', '', path]
    case 'zip':
      return ['zip', ref.files.join(' '), '', '', path]
    case 'all-forms':
      return ['bundle', ref.file, '', '', path]
    case 'dataset-zip':
      return ['dataset-zip', '', ref.dataset, ref.version, path]
  }
}

function askedAgain({ kind, id, version = '', path = '' }: Asked): readonly string[] {
  return kind.startsWith('dataset') ? [kind, '', id, version, path] : [kind, id, '', version, path]
}

function formatOf({ ref }: Item): string {
  return ref.kind === 'all-forms' ? '' : ref.format
}

const wantedSchema = z.object({
  batch: z.string(),
  n: z.number(),
  path: z.string(),
  state: z.string(),
  message: z.string(),
  expected: z.object({ size: z.number().optional(), checksum: checksumSchema.optional() }).optional(),
})

/** What a manifest says of the bytes: what the server had published, or exactly what was received. */
export type Promised = 'published' | 'received'

/** What is no batch's, such as a mirror's: an item, `aside` where nothing can be fetched to its place; undefined: a batch's. */
export type FindItem = (place: {
  readonly batch: string
  readonly n: number
  readonly path: string
}) => Promise<Item | 'aside' | undefined>

/**
 * Why a manifest leaves something out.
 * - `unknown`: its line of the plan cannot be read
 * - `aside`: it is kept where nothing is fetched to
 * - `archive`: what was received is promised, and a server makes each archive anew
 */
export type Omitted = 'unknown' | 'aside' | 'archive'

/**
 * Turns what `verify` finds missing or changed into a manifest that fetches it again, to the same paths. It is written in the
 * order of the plans, which are read forward once.
 */
export class WantedAgain implements AsyncDisposable {
  readonly #records: Records
  readonly #findItem: FindItem
  readonly #promised: Promised
  readonly #onOmitted: (path: string, why: Omitted) => Promise<void>
  readonly #found = new ExternalSort(wantedSchema)
  /** Items in the manifest, and their servers. */
  count = 0
  readonly servers = new Set<string>()

  constructor(
    records: Records,
    findItem: FindItem,
    promised: Promised,
    onOmitted: (path: string, why: Omitted) => Promise<void>,
  ) {
    this.#records = records
    this.#findItem = findItem
    this.#promised = promised
    this.#onOmitted = onOmitted
  }

  async add(finding: Finding): Promise<void> {
    if (finding.state !== 'missing' && finding.state !== 'changed' && finding.state !== 'unfetched') return
    const { batch, n, path, mirror } = finding
    // A run of the mirror fetches it, and records that it came.
    if (finding.state === 'unfetched' && mirror !== undefined) return
    const message = finding.state === 'changed' ? differenceOf(finding) : ''
    const expected = 'expected' in finding ? { expected: finding.expected } : {}
    await this.#found.add(`${batch} ${numberKey(n)}`, { batch, n, path, state: finding.state, message, ...expected })
  }

  /** Every line, its header included; none when nothing was added. */
  async *rows(): AsyncGenerator<Uint8Array> {
    let items: { readonly batch: BatchId; readonly reader: ItemsReader } | undefined
    for await (const { batch, n, path, state, message, expected } of this.#found.values()) {
      const other = await this.#findItem({ batch, n, path })
      if (other === 'aside') {
        await this.#onOmitted(path, 'aside')
        continue
      }
      if (!other && items?.batch !== batch) items = { batch, reader: new ItemsReader(this.#records, batch) }
      const item = other ?? (await items?.reader.item(n))
      if (!item || !canBeAsked(item)) {
        await this.#onOmitted(path, 'unknown')
        continue
      }
      if (this.#promised === 'received' && item.ref.kind !== 'file') {
        await this.#onOmitted(path, 'archive')
        continue
      }
      if (this.count++ === 0) yield WANTED_HEADER
      this.servers.add(item.server)
      const wanted = this.#promised === 'received' && expected ? { ...item, expect: definedOf(expected) } : item
      yield wantedRow(wanted, state.toUpperCase(), message)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#found[Symbol.asyncDispose]()
  }
}

function differenceOf(finding: Parameters<typeof wordsOf>[0]): string {
  const { found, expected } = wordsOf(finding)
  return `${found}, was ${expected}`
}

function definedOf({ size, checksum }: Bytes): Item['expect'] {
  return { ...(size !== undefined && { size }), ...(checksum && { checksum }) }
}
