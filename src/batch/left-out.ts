import type { BatchId } from '../model/batch.ts'
import type { Format, Item } from '../model/item.ts'
import { LEFT_OUT_COLUMNS } from '../model/own-tables.ts'
import type { LeftOut } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { readAsked, type Asked } from './asked.ts'
import { ItemsReader } from './items-file.ts'
import { Outcomes } from './outcomes.ts'
import { csvRow } from './wanted-rows.ts'

/** A file that an archive of a batch lacks. */
export interface LeftOutFile extends LeftOut {
  readonly archive: Item
  /** Form that it was asked for in. */
  readonly format: Format
  /** Folder that it belongs into: beside the archive, where unpacking it would put its files; ends in `/`. */
  readonly folder: string
  /** As its listing describes it; undefined when the server does not know it. */
  readonly file: Asked['files'][number] | undefined
}

/** Every file that the archives of a batch lack, by archive, ascending, so that reading twice gives the same. */
export async function* filesLeftOut(records: Records, batch: BatchId): AsyncGenerator<LeftOutFile> {
  const archives: { readonly n: number; readonly leftOut: readonly LeftOut[] }[] = []
  for await (const { n, leftOut } of new Outcomes(records, batch).receipts()) if (leftOut) archives.push({ n, leftOut })
  archives.sort((a, b) => a.n - b.n)
  const items = new ItemsReader(records, batch)
  for (const { n, leftOut } of archives) {
    const archive = await items.item(n)
    const asked = await readAsked(records, batch, n)
    const files = new Map(asked?.files.map((file) => [file.id, file]))
    const format = archive.ref.kind === 'all-forms' ? 'original' : archive.ref.format
    for (const one of leftOut) {
      const file = files.get(one.id)
      yield { ...one, archive, format, file, folder: folderFor(archive.path, file?.directory ?? '') }
    }
  }
}

/** `a/x.zip` and `raw` → `a/x/raw/`. */
function folderFor(path: string, directory: string): string {
  const top = /\.zip$/i.test(path) ? path.slice(0, -'.zip'.length) : `${path}.files`
  return [top, ...directory.split('/').filter((part) => part !== ''), ''].join('/')
}

/** `left-out.csv`: itself a manifest that fetches these files singly. */
export async function* leftOutRows(records: Records, batch: BatchId): AsyncGenerator<Uint8Array> {
  yield csvRow(LEFT_OUT_COLUMNS)
  for await (const { archive, id, path, folder, format, reason, ambiguous } of filesLeftOut(records, batch)) {
    const certain = ambiguous ? 'no' : 'yes'
    yield csvRow([archive.server, 'file', String(id), folder, format, archive.path, path, reason, certain])
  }
}
