import { anySignal } from '../../async/any-signal.ts'
import { listBatches } from '../../batch/folder.ts'
import { newVerifyProgress, verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { DataferryError } from '../../errors.ts'
import { listMirrors } from '../../mirror/order.ts'
import { verifyMetadata } from '../../mirror/proof.ts'
import { DAY_MS } from '../../model/calendar.ts'
import { plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { candidates, type CandidateOptions } from '../../proof/repair/candidates.ts'
import {
  asideOf,
  dropPendingRepair,
  newRepair,
  readPendingRepair,
  writePendingRepair,
} from '../../proof/repair/records.ts'
import type { Failed } from '../../proof/repair/failed.ts'
import { WrongFiles } from '../../proof/repair/wrong-files.ts'
import { datasetOf } from '../../proof/verify/dataset-of.ts'
import { findingRecord } from '../../proof/verify/finding-record.ts'
import { onRecord } from '../../proof/verify/on-record.ts'
import { readResults } from '../../proof/verify/results.ts'
import { isRecord } from '../../sinks/names.ts'
import type { Sink } from '../../sinks/sink.ts'
import { idsMeant } from '../batch-names.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { FILES_AT_ONCE, FilesRead } from '../verify/files-read.ts'
import { keepResults, type Keeping } from '../verify/keep.ts'
import { printFinding } from '../verify/print.ts'
import { showProgress } from '../verify/progress.ts'
import { conclude } from './conclude.ts'
import { fromCopy } from './from-copy.ts'
import { dropBatch, fromServer } from './from-server.ts'
import { holdMirrors } from './hold-mirrors.ts'
import { sortOut } from './sort-out.ts'

/** What was verified so recently, and was right, is not read again. */
const FRESH_DAYS = 30

/** Looks for what is missing or changed, fetches it again, and says what became of it. */
export async function repair(context: Context): Promise<ExitCode> {
  const [destination, ...named] = context.args
  const sink = await openDestination(context.config, destination)
  try {
    const isMeant = await meant(sink, named)
    await using kept = await keepResults(context, sink)
    await using wrong = new WrongFiles()
    if (!context.has('dry-run') && context.text('from') === undefined) {
      if ((await finishEarlier(context, sink)) === 'parked') return 130
    }
    const unreadable = await look(context, sink, { kept, wrong, isMeant })
    if (wrong.count === 0 || context.has('dry-run')) {
      await kept.end()
      if (wrong.count > 0 || unreadable === 0) return nothingDone(context, sink, wrong.count)
      return tellUnreadable(context, unreadable)
    }
    const code = await mend(context, sink, kept, wrong)
    return code === 0 && unreadable > 0 ? tellUnreadable(context, unreadable) : code
  } finally {
    await sink.close()
  }
}

/** A repair that was cut short is brought to its end before anything is looked at anew. */
async function finishEarlier(context: Context, sink: Sink): Promise<'ended' | 'parked'> {
  const pending = await readPendingRepair(sink.records)
  if (pending?.batch === undefined) return 'ended'
  await using fetched = await fromServer(context, sink, pending)
  if (fetched.end === 'parked') return 'parked'
  await fetched.drop()
  await writePendingRepair(sink.records, { v: 1, run: pending.run })
  return 'ended'
}

interface Looking {
  readonly kept: Keeping
  readonly wrong: WrongFiles
  readonly isMeant: CandidateOptions['isMeant']
}

/** @returns how many records cannot be read */
async function look(context: Context, sink: Sink, { kept, wrong, isMeant }: Looking): Promise<number> {
  const { out, now } = context
  const signal = anySignal(context.signal, kept.lost)
  const files = new FilesRead(sink, signal)
  const progress = newVerifyProgress()
  const fresh = context.has('full') ? undefined : new Date(now().getTime() - FRESH_DAYS * DAY_MS)
  const findings = verifyDestination(sink, {
    hash: files.hash,
    signal,
    concurrency: FILES_AT_ONCE,
    progress,
    choose: (paths, seen) => candidates(paths, { results: readResults(sink.records), fresh, isMeant }, seen),
    ...onRecord(sink, signal),
  })
  const shown = showProgress(context, () => ({ progress, wrong: wrong.count, reading: files.open() }))
  const dataset = datasetOf(sink.records)
  let unreadable = 0
  try {
    for await (const finding of withMetadata(findings, sink, isMeant)) {
      await kept.add(finding)
      if (finding.state !== 'missing' && finding.state !== 'changed' && finding.state !== 'unreadable') continue
      printFinding(out, finding, findingRecord(finding, await dataset(finding)))
      if (finding.state === 'unreadable') unreadable++
      else await wrong.add(finding)
    }
  } finally {
    await shown.stop()
  }
  return unreadable
}

/** Metadata is small: it is looked at whatever was verified lately. */
async function* withMetadata(
  findings: AsyncIterable<Finding>,
  { records }: Sink,
  isMeant: Looking['isMeant'],
): AsyncGenerator<Finding> {
  yield* findings
  for await (const finding of verifyMetadata(records)) {
    if ('batch' in finding && isMeant(finding)) yield finding
  }
}

function nothingDone({ out }: Context, sink: Sink, wrong: number): ExitCode {
  out.record({ event: 'repair', destination: sink.url, wrong, repaired: 0, notRepaired: wrong })
  const place = shownUrl(sink.url)
  if (wrong === 0) out.line(`${place}: nothing is missing or changed.`, 'good')
  else out.line(`${place}: ${plural(wrong, 'file')} to repair.`, 'bad')
  return wrong === 0 ? 0 : 1
}

/** What such records prove cannot be repaired, and nobody knows whether it is right. */
function tellUnreadable({ out }: Context, unreadable: number): ExitCode {
  const what = plural(unreadable, 'record is', 'records are')
  out.paragraph(`${what} unreadable: whether the files that they speak of are right is not known.`, 'bad')
  return 1
}

async function mend(context: Context, sink: Sink, kept: Keeping, wrong: WrongFiles): Promise<ExitCode> {
  const { records } = sink
  const copy = context.text('from')
  await using held = await holdMirrors(context, sink, wrong)
  const signal = anySignal(context.signal, kept.lost, held.lost)
  const pending = (await readPendingRepair(records)) ?? newRepair(context.now())
  if (copy !== undefined && pending.batch !== undefined) await dropBatch(records, pending.batch)
  const begun = { v: 1, run: pending.run } as const
  await writePendingRepair(records, begun)
  for await (const { path, state } of wrong.all()) {
    // The name stays, and shows the good bytes in one step.
    if (state === 'changed' && !isRecord(path)) await sink.link(path, asideOf(pending, path), signal)
  }
  const inner = { ...context, signal }
  await using mendable = new WrongFiles()
  await using refused = await sortOut(sink, wrong, mendable, { hasCopy: copy !== undefined, signal })
  await using fetched = copy === undefined ? await fromServer(inner, sink, begun, mendable) : undefined
  if (fetched?.end === 'parked') return 130
  async function* failures(): AsyncGenerator<Failed> {
    yield* fetched ? fetched.failures() : fromCopy(inner, sink, copy ?? '', mendable)
    yield* refused.values()
  }
  const code = await conclude(inner, sink, { kept, wrong, pending, failures: failures() })
  await kept.end()
  await fetched?.drop()
  await dropPendingRepair(records)
  return code
}

/** Whether a file is of the mirrors and batches that are named; all, where none is. Rejects with `ARGUMENT_INVALID`. */
async function meant({ records, url }: Sink, named: readonly string[]): Promise<CandidateOptions['isMeant']> {
  if (named.length === 0) return () => true
  const mirrors = await listMirrors(records)
  const batches = (await listBatches(records)).map(({ id }) => id)
  const ids = new Set<string>()
  for (const name of named) {
    const some = mirrors.includes(name) ? [name] : idsMeant(name, batches)
    if (some.length !== 1) {
      const known = [...mirrors, ...batches.slice(-3)].join(', ')
      const why = some.length === 0 ? `has no mirror or batch ${name}; it has ${known}` : `has ${some.join(' and ')}`
      throw new DataferryError('ARGUMENT_INVALID', `${shownUrl(url)} ${why}: name one of them.`)
    }
    for (const id of some) ids.add(id)
  }
  return ({ mirror, batch }) => ids.has(mirror ?? batch)
}
