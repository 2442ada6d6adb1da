import { listBatches, readPlanState } from '../../src/batch/folder.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import { openSink } from '../../src/sinks/open-sink.ts'

/** Items that are named; the rest is counted. */
const NAMED = 20

/** What the destination says is still open, in words: for a run whose time is over. */
export async function leftToDo(destination: string, batches: number, files: number): Promise<string> {
  const sink = await openSink(destination)
  try {
    const open: string[] = []
    const unplanned: string[] = []
    const known = await listBatches(sink.records)
    let planned = 0
    for (const { id } of known) {
      const plan = await readPlanState(sink.records, id)
      planned += plan.items
      if (!plan.complete) unplanned.push(id)
      const ended = new Set<number>()
      for await (const { n } of readOutcomes(sink.records, id)) ended.add(n)
      for (let n = 0; n < plan.items; n++) if (!ended.has(n)) open.push(`${id}-${n}`)
    }
    const named = open.slice(0, NAMED).join(', ') + (open.length > NAMED ? ` and ${open.length - NAMED} more` : '')
    return [
      `${known.length} of ${batches} batches are there`,
      ...(unplanned.length > 0 ? [`not planned to the end ${unplanned.join(', ')}`] : []),
      `${planned - open.length} of ${files} items have an outcome`,
      open.length > 0 ? `still open ${named}` : 'no planned item is open',
    ].join('; ')
  } finally {
    await sink.close()
  }
}
