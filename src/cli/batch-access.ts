import { writeBatch } from '../batch/folder.ts'
import { readReport } from '../batch/report.ts'
import { tokenFor } from '../config/config.ts'
import { DataferryError } from '../errors.ts'
import type { Batch, BatchAccess } from '../model/batch.ts'
import { WAITS } from '../model/receipt.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import type { Sink } from '../sinks/sink.ts'
import { askYesOrNo } from './ask.ts'
import type { Context } from './command.ts'
import { plural } from './terminal/format.ts'

/**
 * The batch with what the command line says about files that cannot be downloaded yet, recorded beside the data. On a terminal a
 * person is asked once before access is requested, unless `--yes` is given; elsewhere the flag is enough.
 */
export async function withAccess(context: Context, sink: Sink, begun: BegunBatch): Promise<BegunBatch> {
  const { batch } = begun
  const access = await accessOf(context, batch)
  if (!access) return begun
  const changed = { ...batch, access }
  if (JSON.stringify(changed) !== JSON.stringify(batch)) await writeBatch(sink.records, changed)
  return { ...begun, batch: changed }
}

async function accessOf(context: Context, batch: Batch): Promise<BatchAccess | undefined> {
  const { settings } = context.config
  const { waitFor, accessTimeoutMs: timeoutMs, waitAtMostMs } = settings
  const before = batch.access
  if (!settings.requestAccess && waitFor.length === 0) return before
  const request = before?.request === true || (settings.requestAccess && (await mayRequest(context, batch)))
  return { request, timeoutMs, waitFor: waitFor.length > 0 ? waitFor : (before?.waitFor ?? []), waitAtMostMs }
}

async function mayRequest(context: Context, { servers }: Batch): Promise<boolean> {
  const { config, has, out } = context
  if (servers.every((server) => tokenFor(config, server) === undefined)) {
    const message = '--request-access: the server must know who is asking.'
    const advice = 'Set DATAVERSE_API_TOKEN, or give a file with --token-file.'
    throw new DataferryError('CONFIG_INVALID', message, { advice })
  }
  const question = 'Request access, in the name of your account, to each restricted file that allows it?'
  const answer = has('yes') ? true : await askYesOrNo(context, question)
  if (answer === false) out.say('Access is not requested.')
  return answer ?? true
}

/** Decides, each time everything that is left of a batch waits, whether its command stays. A person is asked once. */
export function stayer(context: Context, sink: Sink, { id, access }: Batch): () => Promise<boolean> {
  let told: Promise<boolean> | undefined
  const ask = async (waiting: number): Promise<boolean> =>
    (await askYesOrNo(
      context,
      `${plural(waiting, 'file waits', 'files wait')}. Stay, and fetch them when they come?`,
    )) ?? false
  return async () => {
    const report = await readReport(sink.records, id)
    if (!report) return true
    const kinds = WAITS.filter((kind) => report.waitingFor[kind] > 0)
    if (kinds.some((kind) => access?.waitFor.includes(kind))) return true
    return (told ??= ask(report.waiting))
  }
}
