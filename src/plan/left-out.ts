import { writePlanState } from '../batch/folder.ts'
import { allItems, ItemsWriter } from '../batch/items-file.ts'
import { filesLeftOut, type LeftOutFile } from '../batch/left-out.ts'
import type { BatchId, PlanState } from '../model/batch.ts'
import { safeFilePath } from '../model/path.ts'
import { PathRegistry } from '../model/path-registry.ts'
import type { Records } from '../sinks/sink.ts'
import { listedItem, type Draft } from './file-item.ts'

/**
 * Adds an item for every file that the archives of a batch lack, once all of the batch has ended, so that they are
 * fetched, retried and reported like any other. Crash-safe as planning is: lines count only when the plan's state says
 * so, which also says that this is done. Repeatable.
 * @returns the new state of the plan; the one given when nothing was left out
 */
export async function planLeftOut(records: Records, batch: BatchId, plan: PlanState): Promise<PlanState> {
  if (plan.leftOutFrom !== undefined) return plan
  const writer = await ItemsWriter.open(records, batch, plan)
  const totals = { ...plan.totals }
  let paths: PathRegistry | undefined
  try {
    for await (const lacking of filesLeftOut(records, batch)) {
      paths ??= await claimedPaths(records, batch, plan.items)
      const { wanted, ...draft } = draftOf(lacking)
      const asWanted = `${wanted.directory}/${wanted.name}`
      const path = paths.claim(safeFilePath(wanted.directory, wanted.name).path)
      if (draft.problem) totals.problems++
      else if (draft.expect.size === undefined) totals.unknownSize++
      else totals.size += draft.expect.size
      if (!draft.problem && !draft.expect.checksum) totals.noChecksum++
      if (path !== asWanted) totals.renamed++
      writer.add({ ...draft, path, ...(path !== asWanted && { renamedFrom: asWanted }) })
    }
    if (writer.position.items === plan.items) return plan
    await writer.flush()
  } finally {
    await writer.close()
  }
  const state: PlanState = { ...plan, ...writer.position, totals, leftOutFrom: plan.items }
  await writePlanState(records, batch, state)
  return state
}

function draftOf({ archive, file, id, folder, format }: LeftOutFile): Draft {
  const { server, origin, line } = archive
  const draft = file
    ? listedItem(file, undefined, {
        server,
        entry: { target: { kind: 'file', file: id }, path: folder },
        line: line ?? 1,
        format,
      })
    : {
        origin: {},
        server,
        ref: { kind: 'file' as const, file: id, format },
        wanted: { directory: folder.replace(/\/+$/, ''), name: String(id) },
        expect: {},
        problem: { code: 'SOURCE_NOT_FOUND', message: `The server does not know file ${id}.` },
      }
  return { ...draft, origin: { ...origin, ...draft.origin } }
}

async function claimedPaths(records: Records, batch: BatchId, items: number): Promise<PathRegistry> {
  const paths = new PathRegistry()
  for await (const { path } of allItems(records, batch, items)) paths.claim(path)
  return paths
}
