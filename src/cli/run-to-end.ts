import type { BegunBatch } from '../plan/begin-batch.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context, ExitCode } from './command.ts'
import { isStop } from './failure.ts'
import { Sources } from './sources.ts'
import { printSummary, type RunFacts } from './summary.ts'

/** What following a batch to its end tells. */
export type Followed = Omit<RunFacts, 'servers'>

/**
 * The frame around a command that waits for its batch: opens the servers, does the work, prints the summary.
 * @param work resolves once the report is written
 * @param stopped says how to continue, when Ctrl-C ended the work
 * @param summary tells how the batch ended
 */
export async function runToEnd(
  context: Context,
  sink: Sink,
  { batch }: BegunBatch,
  work: (sources: Sources) => Promise<Followed>,
  stopped: () => void,
  summary = printSummary,
): Promise<ExitCode> {
  const sources = new Sources(context, batch.servers)
  let facts: RunFacts
  try {
    facts = { ...(await work(sources)), servers: batch.servers }
  } catch (error) {
    if (!isStop(error, context.signal)) throw error
    stopped()
    return 130
  } finally {
    await sources.close()
  }
  return summary(context, sink, batch.id, facts)
}
