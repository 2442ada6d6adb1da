import { formatRecord } from '../manifest/record.ts'
import type { Item } from '../model/item.ts'

type Asked = NonNullable<NonNullable<Item['problem']>['asked']>

const COLUMNS = ['server', 'kind', 'id', 'dataset', 'version', 'path', 'format', 'size', 'checksum', 'code', 'message']

/** The first line of a table of items that is itself a manifest; `code` and `message` say why each is in it, for people. */
export const WANTED_HEADER = csvRow(COLUMNS)

/** The line that asks for an item again, to the same path. */
export function wantedRow(item: Item, code: string, message: string): Uint8Array {
  const { checksum, size } = item.expect
  const promise = checksum ? `${checksum.algorithm}:${checksum.hex}` : ''
  return csvRow([item.server, ...asked(item), formatOf(item), size ?? '', promise, code, message])
}

export function csvRow(cells: readonly (string | number)[]): Uint8Array {
  return Buffer.from(`${formatRecord(cells.map(String))}\r\n`)
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
    case 'bundle':
      return ['bundle', ref.file, '', '', path]
    case 'dataset-zip':
      return ['dataset-zip', '', ref.dataset, ref.version, path]
  }
}

function askedAgain({ kind, id, version = '', path = '' }: Asked): readonly string[] {
  return kind.startsWith('dataset') ? [kind, '', id, version, path] : [kind, id, '', version, path]
}

function formatOf({ ref }: Item): string {
  return ref.kind === 'bundle' ? '' : ref.format
}
