import { writePlanState } from '../batch/folder.ts'
import { filesLeftOut, type LeftOutFile } from '../batch/left-out.ts'
import type { BatchId, PlanState } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { listedItem, type Draft } from './file-item.ts'
import { PlanLines } from './plan-lines.ts'

/**
 * Adds an item for every file that the archives of a batch lack, once all of the batch has ended, so that they are
 * fetched, retried and reported like any other. Crash-safe as planning is: lines count only when the plan's state says
 * so, which also says that this is done. Repeatable.
 * @returns the new state of the plan; the given one when nothing was left out
 */
export async function planLeftOut(records: Records, batch: BatchId, plan: PlanState): Promise<PlanState> {
  if (plan.leftOutFrom !== undefined) return plan
  let lines: PlanLines | undefined
  try {
    for await (const lacking of filesLeftOut(records, batch, plan.items)) {
      lines ??= await PlanLines.open(records, batch, plan)
      await lines.add(draftOf(lacking))
    }
    if (!lines) return plan
    await lines.flush()
    const state: PlanState = { ...plan, ...lines.state, leftOutFrom: plan.items }
    await writePlanState(records, batch, state)
    return state
  } finally {
    await lines?.close()
  }
}

function draftOf({ archive, file, id, folder, format, isUnreadable }: LeftOutFile): Draft {
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
        problem: isUnreadable
          ? {
              code: 'RECORD_UNREADABLE',
              message: `The record of what ${archive.path} should contain can no longer be read.`,
            }
          : { code: 'SOURCE_NOT_FOUND', message: `The server does not know file ${id}.` },
      }
  return { ...draft, origin: { ...origin, ...draft.origin } }
}
