import { z } from 'zod'
import { csvRow } from '../batch/wanted-rows.ts'

const CHANGES = [
  'dataset-added',
  'version-added',
  'version-updated',
  'version-withdrawn',
  'file-added',
  'file-replaced',
  'file-moved',
  'file-removed',
  'metadata-updated',
  'dataset-deaccessioned',
  'dataset-gone',
  'dataset-denied',
  'dataset-out-of-scope',
  'dataset-returned',
] as const

/** A row of `changes.csv`. */
export const changeSchema = z.object({
  change: z.enum(CHANGES),
  /** PID. */
  dataset: z.string(),
  version: z.string().optional(),
  /** In the dataset. */
  path: z.string().optional(),
  file: z.number().int().optional(),
  detail: z.string().optional(),
})
export type Change = Readonly<z.infer<typeof changeSchema>>

/** `changes.csv`: a row for each change. */
export async function* changesTable(changes: AsyncIterable<Change>): AsyncGenerator<Uint8Array> {
  yield csvRow(['change', 'dataset', 'version', 'path', 'file', 'detail'])
  for await (const { change, dataset, version = '', path = '', file = '', detail = '' } of changes) {
    yield csvRow([change, dataset, version, path, String(file), detail])
  }
}

/** A file as one state of a dataset shows it. */
export interface ShownFile {
  readonly file: number
  /** In the dataset. */
  readonly path: string
  readonly replaces?: number | undefined
}

type FileChange = Pick<Change, 'change' | 'path' | 'file' | 'detail'>

/** What happened to the files of a dataset from one state to the next, by their ids. */
export function fileChanges(before: readonly ShownFile[], after: readonly ShownFile[]): readonly FileChange[] {
  const beforeById = new Map(before.map((one) => [one.file, one]))
  const beforeAt = new Map(before.map((one) => [one.path, one]))
  const stays = new Set(after.map(({ file }) => file))
  const replaced = new Set<number>()
  const changes: FileChange[] = []
  for (const { file, path, replaces } of after) {
    const known = beforeById.get(file)
    if (known) {
      if (known.path !== path) changes.push({ change: 'file-moved', path, file, detail: `from ${known.path}` })
      continue
    }
    const old = predecessor(beforeById.get(replaces ?? 0), beforeAt.get(path), stays)
    if (!old) {
      changes.push({ change: 'file-added', path, file })
      continue
    }
    replaced.add(old.file)
    const from = old.path === path ? '' : `, which was ${old.path}`
    changes.push({ change: 'file-replaced', path, file, detail: `replaces ${old.file}${from}` })
  }
  for (const { file, path } of before) {
    if (!stays.has(file) && !replaced.has(file)) changes.push({ change: 'file-removed', path, file })
  }
  return changes
}

/** The file that a new one stands for: the one that the server names, or else the one of its name, where that has gone. */
function predecessor(
  named: ShownFile | undefined,
  sameName: ShownFile | undefined,
  stays: ReadonlySet<number>,
): ShownFile | undefined {
  return [named, sameName].find((one) => one !== undefined && !stays.has(one.file))
}
