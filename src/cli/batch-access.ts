import { writeBatch } from '../batch/folder.ts'
import { readReport } from '../batch/report.ts'
import type { SettingName } from '../config/about-settings.ts'
import { tokenFor } from '../config/config.ts'
import { DataferryError } from '../errors.ts'
import type { Batch, BatchAccess } from '../model/batch.ts'
import { WAITS } from '../model/receipt.ts'
import type { BegunBatch } from '../plan/begin-batch.ts'
import type { Sink } from '../sinks/sink.ts'
import { askYesOrNo } from './ask.ts'
import type { Context } from './command.ts'
import { plural } from '../model/format.ts'

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
  const { settings, sourceOf } = context.config
  const { requestAccess, waitFor, accessTimeoutMs, waitAtMostMs } = settings
  const before = batch.access
  if (!requestAccess && waitFor.length === 0 && !before) return undefined
  const isGiven = (name: SettingName): boolean => !before || sourceOf(name).kind !== 'default'
  return {
    request: before?.request === true || (requestAccess && (await mayRequest(context, batch))),
    timeoutMs: isGiven('accessTimeoutMs') ? accessTimeoutMs : (before?.timeoutMs ?? accessTimeoutMs),
    waitFor: isGiven('waitFor') ? waitFor : (before?.waitFor ?? waitFor),
    waitAtMostMs: isGiven('waitAtMostMs') ? waitAtMostMs : (before?.waitAtMostMs ?? waitAtMostMs),
  }
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
  context.signal.throwIfAborted()
  if (answer === false) out.say('Access is not requested.')
  return answer ?? true
}

/**
 * Decides, each time everything that is left of a batch waits, whether its command stays. A person is asked once, unless `--yes`
 * says that nobody is to be asked.
 * @returns a function that ends its question with a signal, and then says no
 */
export function stayer(context: Context, sink: Sink, { id, access }: Batch): (signal: AbortSignal) => Promise<boolean> {
  let told: boolean | undefined
  const ask = async (waiting: number, signal: AbortSignal): Promise<boolean> =>
    !context.has('yes') &&
    (await askYesOrNo(
      { out: context.out, signal },
      `${plural(waiting, 'file waits', 'files wait')}. Stay, and fetch them when they come?`,
    )) === true
  return async (signal) => {
    const report = await readReport(sink.records, id)
    if (!report) return true
    const kinds = WAITS.filter((kind) => report.waitingFor[kind] > 0)
    if (kinds.some((kind) => access?.waitFor.includes(kind))) return true
    const answer = told ?? (await ask(report.waiting, signal))
    // A question that was cut short was not answered.
    if (!signal.aborted) told = answer
    return answer
  }
}
