import { formatRecord } from '../manifest/record.ts'
import type { BatchId } from '../model/batch.ts'
import type { Item } from '../model/item.ts'
import { inertCell, WANTED_COLUMNS } from '../model/own-tables.ts'
import { visibleText } from '../model/visible-text.ts'
import type { Records } from '../sinks/sink.ts'
import { ItemsReader } from './items-file.ts'
import type { Finding } from './verify-destination.ts'

type Asked = NonNullable<NonNullable<Item['problem']>['asked']>

/** The first line of a table of items that is itself a manifest; `code` and `message` say why each is in it, for people. */
export const WANTED_HEADER = csvRow(WANTED_COLUMNS)

/** The line that asks for an item again, to the same path. */
export function wantedRow(item: Item, code: string, message: string): Uint8Array {
  const { checksum, size } = item.expect
  const promise = checksum ? `${checksum.algorithm}:${checksum.hex}` : ''
  return csvRow([item.server, ...asked(item), formatOf(item), size ?? '', promise, code, message])
}

/** Whether it is known what to ask for; see `NO_REF`. */
export function canBeAsked({ ref }: Item): boolean {
  return ref.kind !== 'file' || ref.file !== 0
}

/** A row for people and spreadsheets: what strangers wrote is made visible and inert. */
export function csvRow(cells: readonly (string | number)[]): Uint8Array {
  return Buffer.from(`${formatRecord(cells.map((cell) => inertCell(visibleText(String(cell)))))}\r\n`)
}

/** The columns kind, id, dataset, version and path. */
function asked({ ref, path, problem }: Item): readonly (string | number)[] {
  // What could not be planned is asked for in the words of the manifest: its path is only a stand-in.
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

/** QuestionSlots what `verify` finds missing or changed into a manifest that asks for it again, to the same paths. */
export class WantedAgain {
  readonly #records: Records
  readonly #write: (bytes: Uint8Array) => Promise<unknown>
  readonly #items = new Map<BatchId, ItemsReader>()
  /** Items that are in the manifest, and the servers that have them. */
  count = 0
  /** Items that are missing in it, since the line of the plan that says what they are cannot be read. */
  unknown = 0
  readonly servers = new Set<string>()

  constructor(records: Records, write: (bytes: Uint8Array) => Promise<unknown>) {
    this.#records = records
    this.#write = write
  }

  async add(finding: Finding): Promise<void> {
    if (finding.state !== 'missing' && finding.state !== 'changed' && finding.state !== 'unfetched') return
    const { batch, n, state } = finding
    const items = this.#items.get(batch) ?? new ItemsReader(this.#records, batch)
    this.#items.set(batch, items)
    const message = state === 'changed' ? `${finding.found}, was ${finding.expected}` : ''
    const item = await items.item(n)
    if (!canBeAsked(item)) {
      this.unknown++
      return
    }
    if (this.count++ === 0) await this.#write(WANTED_HEADER)
    this.servers.add(item.server)
    await this.#write(wantedRow(item, state.toUpperCase(), message))
  }
}
