import { anySignal } from '../../async/any-signal.ts'
import { listBatches } from '../../batch/folder.ts'
import { newVerifyProgress, verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { DataferryError } from '../../errors.ts'
import { listMirrors } from '../../mirror/order.ts'
import { verifyMirrors } from '../../mirror/proof.ts'
import { DAY_MS } from '../../model/calendar.ts'
import { plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { tidyMirrors } from '../../proof/ocfl/unfinished.ts'
import { candidates, type CandidateOptions } from '../../proof/repair/candidates.ts'
import { dropAside } from '../../proof/repair/aside.ts'
import {
  asideOf,
  dropPendingRepair,
  newRepair,
  readPendingRepair,
  writePendingRepair,
  type PendingRepair,
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
import { pasted } from '../pasted.ts'
import { FILES_AT_ONCE, FilesRead } from '../verify/files-read.ts'
import { keepResults, type Keeping } from '../verify/keep.ts'
import { NeverFetched } from '../verify/never-fetched.ts'
import { printFinding } from '../verify/print.ts'
import { showProgress } from '../verify/progress.ts'
import { conclude } from './conclude.ts'
import { finishEarlier } from './finish-earlier.ts'
import { fromCopy, openCopy } from './from-copy.ts'
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
    if (!context.has('dry-run')) await tidyMirrors(sink, context.signal)
    const from = context.text('from')
    await using copy = from === undefined ? undefined : closing(await openCopy(context, sink, from))
    await using kept = await keepResults(context, sink)
    const inner = { ...context, signal: anySignal(context.signal, kept.lost) }
    return await repairAt(inner, sink, { kept, isMeant, copy: copy?.sink })
  } finally {
    await sink.close()
  }
}

function closing(sink: Sink): AsyncDisposable & { readonly sink: Sink } {
  return { sink, [Symbol.asyncDispose]: () => sink.close() }
}

interface Repair {
  readonly kept: Keeping
  readonly isMeant: CandidateOptions['isMeant']
  /** Where the good bytes come from; undefined: from the server. */
  readonly copy: Sink | undefined
}

async function repairAt(context: Context, sink: Sink, { kept, isMeant, copy }: Repair): Promise<ExitCode> {
  const isDry = context.has('dry-run')
  if (!isDry && !copy && (await finishEarlier(context, sink)) === 'parked') return 130
  await using wrong = new WrongFiles()
  const neverFetched = new NeverFetched()
  const { unreadable, fresh } = await look(context, sink, { kept, wrong, neverFetched, isMeant })
  const code = isDry || wrong.count === 0 ? undefined : await mend(context, sink, { kept, wrong, copy })
  if (code === 130) return code
  await kept.end()
  if (!isDry) await letGo(context, sink)
  const codes = [
    code ?? nothingDone(context, sink, { wrong: wrong.count, others: neverFetched.files + unreadable, fresh }),
    tellUnreadable(context, unreadable),
    await tellNeverFetched(context, sink, neverFetched),
  ]
  return codes.every((one) => one === 0) ? 0 : 1
}

interface Looking {
  readonly kept: Keeping
  readonly wrong: WrongFiles
  readonly neverFetched: NeverFetched
  readonly isMeant: CandidateOptions['isMeant']
}

/** What could not be judged. */
interface Unjudged {
  /** Records that cannot be read. */
  unreadable: number
  /** Files that were verified lately, and not read again. */
  fresh: number
}

async function look(context: Context, sink: Sink, { kept, wrong, neverFetched, isMeant }: Looking): Promise<Unjudged> {
  const { out, now, signal } = context
  const files = new FilesRead(sink, signal)
  const progress = newVerifyProgress()
  const unjudged = { unreadable: 0, fresh: 0 }
  const onFresh = (): void => {
    unjudged.fresh++
  }
  const fresh = context.has('full') ? undefined : new Date(now().getTime() - FRESH_DAYS * DAY_MS)
  const findings = verifyDestination(sink, {
    hash: files.hash,
    signal,
    concurrency: FILES_AT_ONCE,
    progress,
    choose: (paths, seen) => candidates(paths, { results: readResults(sink.records), fresh, isMeant, onFresh }, seen),
    ...onRecord(sink, signal),
  })
  const shown = showProgress(context, () => ({ progress, wrong: wrong.count, reading: files.open() }))
  const dataset = datasetOf(sink.records)
  try {
    for await (const finding of withMetadata(findings, sink, isMeant)) {
      await kept.add(finding)
      neverFetched.add(finding)
      if (finding.state !== 'missing' && finding.state !== 'changed' && finding.state !== 'unreadable') continue
      printFinding(out, finding, findingRecord(finding, await dataset(finding)))
      if (finding.state === 'unreadable') unjudged.unreadable++
      else await wrong.add(finding)
    }
  } finally {
    await shown.stop()
  }
  return unjudged
}

/** Metadata is small: it is looked at whatever was verified lately. */
async function* withMetadata(
  findings: AsyncIterable<Finding>,
  { records }: Sink,
  isMeant: Looking['isMeant'],
): AsyncGenerator<Finding> {
  yield* findings
  for await (const finding of verifyMirrors(records)) {
    if (!('batch' in finding) || isMeant(finding)) yield finding
  }
}

interface NothingDone {
  readonly wrong: number
  /** Whatever else is not right. */
  readonly others: number
  /** Files that were not read. */
  readonly fresh: number
}

function nothingDone(
  { out, args, config, has, text }: Context,
  sink: Sink,
  { wrong, others, fresh }: NothingDone,
): ExitCode {
  out.record({ event: 'repair', destination: sink.url, wrong, repaired: 0, notRepaired: wrong, notRead: fresh })
  const [, ...named] = args
  const place = [shownUrl(sink.url), ...(named.length > 0 ? [`of ${named.join(', ')}`] : [])].join(', ')
  if (wrong > 0) {
    const from = text('from')
    out.line(`${place}: ${plural(wrong, 'file')} to repair. To do so:`, 'bad')
    const flags = [...(from === undefined ? [] : ['--from', from]), ...(has('full') ? ['--full'] : [])]
    out.line(`  ${pasted(config, 'repair', [shownUrl(sink.url), ...named, ...flags])}`)
  } else if (others > 0) out.line(`${place}: nothing is to be repaired.`)
  else if (fresh === 0) out.line(`${place}: nothing is missing or changed.`, 'good')
  else {
    const unread = plural(fresh, 'file that was', 'files that were')
    out.paragraph(
      `${place}: nothing is missing or changed, as far as was looked: ${unread} verified within ${FRESH_DAYS} days ` +
        `${fresh === 1 ? 'was' : 'were'} not read again. --full reads everything.`,
      'good',
    )
  }
  return wrong === 0 ? 0 : 1
}

/** What such records prove cannot be repaired, and nobody knows whether it is right. */
function tellUnreadable({ out }: Context, unreadable: number): ExitCode {
  if (unreadable === 0) return 0
  const what = plural(unreadable, 'record is', 'records are')
  out.paragraph(`${what} unreadable: whether all files that are named there are right is not known.`, 'bad')
  return 1
}

/** A batch or mirror that is to fetch something records that it came, which no repair could. */
async function tellNeverFetched(context: Context, sink: Sink, neverFetched: NeverFetched): Promise<ExitCode> {
  const { files } = neverFetched
  if (files === 0) return 0
  const what = plural(files, 'planned file was', 'planned files were')
  context.out.paragraph(`${what} never fetched: repair brings back only what was there.`, 'bad')
  await neverFetched.tell(context, sink)
  return 1
}

/** A new archive needs a receipt of its own, which an ordinary batch writes. */
function tellArchives({ out, config }: Context, sink: Sink, archives: number): void {
  const what = archives === 1 ? 'a new archive in the place of this one' : 'new archives in their places'
  out.line(`To fetch ${what}, give this and then the command that it prints:`)
  out.line(`  ${pasted(config, 'verify', [shownUrl(sink.url), '--wanted', 'wanted.csv'])}`)
}

/** Lets go of what a repair has left, this one or one that was cut short: with the right bytes there the damaged ones can go. */
async function letGo({ out, signal }: Context, sink: Sink): Promise<void> {
  const pending = await readPendingRepair(sink.records)
  if (!pending) return dropPendingRepair(sink.records)
  const left = pending.keepsDamaged ? 0 : await dropAside(sink, pending, signal)
  if (left === 0) return dropPendingRepair(sink.records)
  const what = plural(left, 'damaged file stays', 'damaged files stay')
  out.paragraph(
    `${what} in ${asideOf(pending)}, as nothing right is in the place of ${left === 1 ? 'it' : 'them'} yet.`,
  )
}

interface Mending {
  readonly kept: Keeping
  readonly wrong: WrongFiles
  readonly copy: Sink | undefined
}

async function mend(context: Context, sink: Sink, { kept, wrong, copy }: Mending): Promise<ExitCode> {
  const { records } = sink
  await using held = await holdMirrors(context, sink, wrong)
  const signal = anySignal(context.signal, held.lost)
  const earlier = await readPendingRepair(records)
  if (copy !== undefined && earlier?.batch !== undefined) await dropBatch(records, earlier.batch)
  const { run } = earlier ?? newRepair(context.now())
  const keepsDamaged = context.has('keep-damaged') || earlier?.keepsDamaged === true
  const pending: PendingRepair = { v: 1, run, ...(keepsDamaged && { keepsDamaged }) }
  await writePendingRepair(records, pending)
  for await (const { path, state } of wrong.all()) {
    // The name stays, and shows the good bytes in one step.
    if (state === 'changed' && !isRecord(path)) await sink.link(path, asideOf(pending, path), signal)
  }
  const inner = { ...context, signal }
  await using mendable = new WrongFiles()
  await using refused = await sortOut(sink, wrong, mendable, { hasCopy: copy !== undefined, signal })
  await using fetched = copy === undefined ? await fromServer(inner, sink, pending, mendable) : undefined
  if (fetched?.end === 'parked') return 130
  async function* failures(): AsyncGenerator<Failed> {
    if (fetched) yield* fetched.failures()
    if (copy) yield* fromCopy(inner, sink, copy, mendable)
    yield* refused.values()
  }
  const code = await conclude(inner, sink, { kept, wrong, pending, failures: failures() })
  if (fetched && fetched.archives > 0) tellArchives(context, sink, fetched.archives)
  await fetched?.drop()
  await writePendingRepair(records, pending)
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
