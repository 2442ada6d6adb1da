import type { BatchId } from '../model/batch.ts'
import type { Format, Item } from '../model/item.ts'
import { LEFT_OUT_COLUMNS } from '../model/own-tables.ts'
import { receiptSchema, type LeftOut } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { readAsked, type Asked } from './asked.ts'
import { ExternalSort, numberKey } from './external-sort.ts'
import { isDamaged, ItemsReader } from './items-file.ts'
import { Outcomes } from './outcomes.ts'
import { isUnreadable } from './record.ts'
import { csvRow } from './wanted-rows.ts'

/** A file that an archive of a batch lacks. */
export interface LeftOutFile extends LeftOut {
  readonly archive: Item
  /** The form it was requested in. */
  readonly format: Format
  /** The folder it belongs in: beside the archive, where unpacking would put its files; ends in `/`. */
  readonly folder: string
  /** As its listing describes it; undefined when the server does not know it. */
  readonly file: Asked['files'][number] | undefined
  /** The record of what the archive should contain cannot be read. */
  readonly isUnreadable: boolean
}

/** Every file that the archives of a batch lack, by archive, ascending, so that reading twice gives the same. */
export async function* filesLeftOut(records: Records, batch: BatchId, planned: number): AsyncGenerator<LeftOutFile> {
  await using archives = new ExternalSort(receiptSchema)
  for await (const receipt of new Outcomes(records, batch, planned).receipts()) {
    if (receipt.leftOut) await archives.add(numberKey(receipt.n), receipt)
  }
  const items = new ItemsReader(records, batch)
  for await (const { n, path, leftOut = [] } of archives.values()) {
    const archive = { ...(await items.item(n)), path }
    const asked = await readAsked(records, batch, n).catch((error: unknown) => {
      if (isUnreadable(error)) return 'unreadable' as const
      throw error
    })
    const known = asked === 'unreadable' ? [] : (asked?.files ?? [])
    const files = new Map(known.map((file) => [file.id, file]))
    const format = archive.ref.kind === 'all-forms' ? 'original' : archive.ref.format
    for (const one of leftOut) {
      const file = files.get(one.id)
      const folder = folderFor(archive.path, file?.directory ?? '')
      yield { ...one, archive, format, file, folder, isUnreadable: isDamaged(archive) || asked === 'unreadable' }
    }
  }
}

/** `a/x.zip` and `raw` → `a/x/raw/`. */
function folderFor(path: string, directory: string): string {
  const top = /\.zip$/i.test(path) ? path.slice(0, -'.zip'.length) : `${path}.files`
  return [top, ...directory.split('/').filter((part) => part !== ''), ''].join('/')
}

/** `left-out.csv`: itself a manifest that fetches these files individually. */
export async function* leftOutRows(records: Records, batch: BatchId, planned: number): AsyncGenerator<Uint8Array> {
  yield csvRow(LEFT_OUT_COLUMNS)
  for await (const { archive, id, path, folder, format, reason, ambiguous } of filesLeftOut(records, batch, planned)) {
    const certain = ambiguous ? 'no' : 'yes'
    yield csvRow([archive.server, 'file', String(id), folder, format, archive.path, path, reason, certain])
  }
}
