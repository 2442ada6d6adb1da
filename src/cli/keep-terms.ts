import { hasTerms, keepTerms } from '../batch/terms.ts'
import type { Batch, PlanState } from '../model/batch.ts'
import { patiently } from '../plan/patient-catalogue.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context } from './command.ts'
import type { Sources } from './sources.ts'
import { plural } from '../model/format.ts'
import { tellWait } from './tell-notices.ts'

/** Keeps the terms of use of every dataset of a planned batch that has its own, as they are now: the user accepts them. */
export async function keepAllTerms(
  context: Context,
  { records }: Sink,
  { id }: Batch,
  { terms = [] }: PlanState,
  sources: Sources,
): Promise<void> {
  const { signal, out } = context
  const onWait = tellWait(context)
  for (const { server, dataset, version } of terms) {
    if (await hasTerms(records, id, { dataset, version })) continue
    const ask = () => sources.native(server).version(dataset, version, signal)
    const seen = await patiently(ask, sources.patience(server, 'Asking for terms of use', onWait), signal)
    const record = { v: 1 as const, server, dataset, version, acceptedAt: new Date().toISOString() }
    await keepTerms(records, id, { ...record, terms: { ...seen.terms } })
  }
  if (terms.length > 0) out.say(`The terms of use of ${plural(terms.length, 'dataset')} are kept with the receipts.`)
}

/** Tells of datasets with terms of their own where nobody has accepted them: they hold up nothing. */
export function tellTerms({ out }: Pick<Context, 'out'>, { acceptTerms }: Batch, { terms = [] }: PlanState): void {
  if (acceptTerms || terms.length === 0) return
  const [first] = terms
  const which = terms.length === 1 ? `${first?.dataset ?? ''} has` : `${terms.length} datasets have`
  out.say(`${which} terms of use of their own. --accept-terms keeps their text with the receipts.`)
}
