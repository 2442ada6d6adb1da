import { nothing } from '../../async/nothing.ts'
import { listBatches, names, readBatch, readPlanState } from '../../batch/folder.ts'
import type { LastVerified } from '../../batch/report-schema.ts'
import { readReport, writeReport } from '../../batch/report.ts'
import { DataferryError } from '../../errors.ts'
import { checkLinked, type LinkedFinding } from '../../mirror/linked-records.ts'
import { listMirrors, names as mirrorNames, readOrder } from '../../mirror/order.ts'
import { readPending } from '../../mirror/pending.ts'
import { listRuns, readRun } from '../../mirror/report.ts'
import { writeRunStatement } from '../../mirror/statement.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { readVerifySummary } from '../../proof/verify/summary.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import { idsMeant } from '../batch-names.ts'

/** A batch that has ended, or a run of a mirror. */
export interface Subject {
  /** Where its records are, below `.dataferry/`. */
  readonly folder: string
  /** Of its copy. */
  readonly name: string
  /** Makes its statement from its records. */
  readonly state: () => Promise<unknown>
  /** It says what is known of the last verification. */
  readonly isUpToDate: boolean
  /** A list of its records was made once: where there is none now, somebody removed it. */
  readonly hasList: boolean
  /** Records that its own lead to, compared with what those say of them; call it only where they fit their list. */
  readonly linked: () => AsyncIterable<LinkedFinding>
  /** The mirror, where a run of it has begun and not ended. */
  readonly unfinished?: string | undefined
  /** Files of it wait, so its records change after a list was made on demand. */
  readonly waits: boolean
}

/**
 * The newest run of a mirror, or a batch by its name or the end of it. Rejects with `BATCH_NOT_FOUND`, `STATEMENT_REFUSED`,
 * `ARGUMENT_INVALID` and `RECORD_UNREADABLE`.
 */
export async function subjectMeant({ records, url }: Sink, what: string): Promise<Subject> {
  const mirrors = await listMirrors(records)
  if (mirrors.includes(what)) return newestRun(records, what)
  const ids = (await listBatches(records)).map(({ id }) => id)
  const [id, other] = idsMeant(what, ids)
  if (other !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `${what} may be ${id ?? ''} or ${other}: give more of the name.`)
  }
  const batch = id === undefined ? undefined : await readBatch(records, id)
  if (!batch) {
    if (mirrors.length + ids.length === 0) {
      throw new DataferryError('NO_RECORDS', `There is nothing to state: ${shownUrl(url)} has no records.`)
    }
    const known = [...mirrors, ...ids.slice(-3)].join(', ')
    throw new DataferryError('BATCH_NOT_FOUND', `${shownUrl(url)} has no batch or mirror ${what}; it has ${known}.`, {
      advice: 'Give the name of a batch, or of a mirror.',
    })
  }
  const report = await readReport(records, batch.id)
  if (!report && (await records.read(names.report(batch.id))) === undefined) {
    throw new DataferryError('STATEMENT_REFUSED', `Batch ${batch.id} has not ended: its statement is made when it has.`)
  }
  if (!report) return withDamagedReport(batch.id)
  const { finishedAt } = report
  const lastVerified = await lastVerifiedOf(records, { batch: batch.id })
  const state = async () =>
    writeReport(records, batch, await readPlanState(records, batch.id), { finishedAt, isFinal: true, lastVerified })
  const isUpToDate = report.lastVerified?.endedAt === lastVerified?.endedAt
  const [hasList, waits] = [report.records !== undefined, report.waiting > 0]
  return { folder: batch.id, name: batch.id, state, isUpToDate, hasList, linked: nothing, waits }
}

/** Its records can be compared with their list, but from them no statement can be made. */
function withDamagedReport(id: string): Subject {
  const state = (): Promise<never> => {
    const message = `.dataferry/${names.report(id)} is damaged, so no statement can be made from it.`
    const advice = `Bring it back from a backup, or let \`dataferry resume\` make it again from the receipts.`
    return Promise.reject(new DataferryError('STATEMENT_REFUSED', message, { advice }))
  }
  return { folder: id, name: id, state, isUpToDate: false, hasList: true, linked: nothing, waits: false }
}

/** The last verification of a destination, with what it found of a batch or mirror. */
async function lastVerifiedOf(
  records: Records,
  owner: { readonly batch?: string; readonly mirror?: string },
): Promise<LastVerified | undefined> {
  const summary = await readVerifySummary(records)
  if (!summary?.last) return undefined
  const { last, open, openOf } = summary
  const own = openOf.find(({ batch, mirror }) => batch === owner.batch && mirror === owner.mirror)
  // Where there are very many, not all are in the summary.
  const counted = openOf.reduce((sum, { missing, changed }) => sum + missing + changed, 0)
  const none = counted === open.missing + open.changed ? { missing: 0, changed: 0 } : undefined
  const found = own ? { missing: own.missing, changed: own.changed } : none
  return { endedAt: last.endedAt, by: last.by, read: last.read.files, ...(found && { open: found }) }
}

async function newestRun(records: Records, mirror: string): Promise<Subject> {
  const order = await readOrder(records, mirror)
  const run = (await listRuns(records, mirror)).at(-1)
  const report = run === undefined ? undefined : await readRun(records, mirror, run)
  if (!order || run === undefined || !report) {
    throw new DataferryError('STATEMENT_REFUSED', `Mirror ${mirror} has not run yet: there is nothing to state.`, {
      advice: 'Run it with `dataferry mirror run` first.',
    })
  }
  const folder = `${mirrorNames.runs(mirror)}/${run}`
  const lastVerified = await lastVerifiedOf(records, { mirror })
  const state = () => writeRunStatement(records, folder, order, report, lastVerified)
  // Made again it is the same, unless there was another verification.
  const isUpToDate = lastVerified === undefined
  const hasList = (await records.list(folder)).includes(names.page(folder))
  const linked = () => checkLinked(records, mirror, run)
  const unfinished = (await readPending(records, mirror)) ? mirror : undefined
  return { folder, name: `${mirror}-${run}`, state, isUpToDate, hasList, linked, unfinished, waits: false }
}
