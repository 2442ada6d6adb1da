import type { BegunBatch } from '../plan/begin-batch.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context, ExitCode } from './command.ts'
import { openDestination } from './destination.ts'
import { takeIn } from './intake.ts'
import type { LazyRuntime } from './runtime.ts'
import { Sources } from './sources.ts'

/** Finds or begins the batch that a command line names, opens everything that planning needs, does the work, and closes it. */
export async function withPlanning(
  context: Context,
  work: (sink: Sink, begun: BegunBatch, sources: Sources) => Promise<ExitCode>,
  runtime?: LazyRuntime,
): Promise<ExitCode> {
  const sink = await openDestination(context.config)
  const sources = new Sources(context)
  try {
    const begun = await takeIn(context, sink, runtime)
    return await work(sink, begun, sources)
  } finally {
    await sources.close()
    await sink.close()
  }
}
