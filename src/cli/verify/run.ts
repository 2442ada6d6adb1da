import { anySignal } from '../../async/any-signal.ts'
import { newVerifyProgress, verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { DataferryError, isAbort } from '../../errors.ts'
import { neverRun } from '../../mirror/check-records.ts'
import { verifyMirrors } from '../../mirror/proof.ts'
import { formatBytes, formatCount } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { unfinishedOfMirrors } from '../../proof/ocfl/unfinished.ts'
import { datasetOf } from '../../proof/verify/dataset-of.ts'
import { findingRecord } from '../../proof/verify/finding-record.ts'
import { onRecord } from '../../proof/verify/on-record.ts'
import type { RollingShare } from '../../proof/verify/rolling-share.ts'
import { SUMMARY } from '../../proof/verify/summary.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { pasted } from '../pasted.ts'
import { FILES_AT_ONCE, FilesRead } from './files-read.ts'
import { keepIfPossible, keepResults, NOT_KEPT } from './keep.ts'
import { printFinding } from './print.ts'
import { showProgress } from './progress.ts'
import { ocflAt, verifyOcfl } from './ocfl.ts'
import { readRolling } from './read-rolling.ts'
import { rollingShare, rollingText, type RollingOutcome } from './rolling.ts'
import { ReportFile } from './report-file.ts'
import { VerifyTally } from './tally.ts'
import { openWanted } from './wanted.ts'

/** Requests to a store at the same time where nothing is read: they are nothing but waiting. */
const LOOKS_AT_ONCE = 32

/** Verifies a destination and prints what is not right. */
export async function verify(context: Context): Promise<ExitCode> {
  const sink = await openDestination(context.config, context.args[0])
  try {
    const ocfl = await ocflAt(sink, context.signal)
    return ocfl ? await verifyOcfl(context, sink, ocfl) : await verifyAt(context, sink)
  } catch (error) {
    if (isAbort(error) && context.text('rolling') !== undefined) {
      context.out.say('What was read so far is remembered: the same command goes on with the rest.')
    }
    throw error
  } finally {
    await sink.close()
  }
}

async function verifyAt(context: Context, sink: Sink): Promise<ExitCode> {
  const { out, text, now } = context
  const isQuick = context.has('quick')
  const periodMs = readRolling(context)
  if (isQuick && context.config.given.digest) {
    throw new DataferryError('ARGUMENT_INVALID', '--digest needs every byte, and --quick reads none: give one of them.')
  }
  const startedAt = now()
  if (text('wanted') !== undefined && text('wanted') === text('report')) {
    throw new DataferryError('ARGUMENT_INVALID', '--wanted and --report name the same file: give each its own.')
  }
  await using wanted = await openWanted(text('wanted'), sink)
  await using report = await ReportFile.open(text('report'), sink.url)
  // What was not read proves nothing that could be kept; what has its turn by what is kept needs it.
  await using kept = isQuick
    ? NOT_KEPT
    : await (periodMs === undefined ? keepIfPossible(context, sink) : keepResults(context, sink))
  await using share = periodMs === undefined ? undefined : await rollingShare(sink, kept, periodMs, startedAt)
  const tally = new VerifyTally()
  const dataset = datasetOf(sink.records)
  const signal = anySignal(context.signal, kept.lost)
  for await (const one of neverRun(sink.records)) tally.neverFetched.addNeverRun(one)
  for await (const finding of findingsAt({ ...context, signal }, sink, tally, share)) {
    tally.add(finding)
    await kept.add(finding)
    if (finding.state === 'ok') continue
    const record = findingRecord(finding, await dataset(finding))
    printFinding(out, finding, record)
    if (finding.state !== 'size-only') await report?.add(record)
    await wanted?.add(finding)
  }
  const unfinished = await tellUnfinished(context, sink)
  const { read, found } = tally
  const times = { startedAt: startedAt.toISOString(), endedAt: now().toISOString() }
  const rolling = share?.outcome(startedAt)
  const isKept = await kept.end({
    mode: rolling ? 'rolling' : 'full',
    ...times,
    read,
    ...(rolling ?? { held: read, neverRead: { files: 0, bytes: 0 } }),
    found,
  })
  await report?.end()
  const summary = isKept ? `${sink.url}/.dataferry/${SUMMARY}` : undefined
  printTally(context, sink, tally, { rolled: rolling, report: report?.url ?? summary ?? null })
  if (tally.found.missing + tally.found.changed > 0) tellHowToRepair(context, sink)
  await tally.neverFetched.tell(context, sink)
  tellHowToFinish(context, sink, unfinished)
  await wanted?.write(context, sink.url)
  return tally.wrong + tally.neverFetched.begun + unfinished.size + (rolling?.rolling?.openLeft ?? 0) === 0 ? 0 : 1
}

/** Every finding, while the progress is shown. */
async function* findingsAt(
  context: Context,
  sink: Sink,
  tally: VerifyTally,
  share: RollingShare | undefined,
): AsyncGenerator<Finding> {
  const { signal } = context
  const isQuick = context.has('quick')
  const progress = newVerifyProgress()
  const files = new FilesRead(sink, signal)
  const findings = verifyDestination(sink, {
    hash: isQuick ? files.recorded : files.hash,
    signal,
    concurrency: isQuick ? LOOKS_AT_ONCE : FILES_AT_ONCE,
    progress,
    ...(share && { choose: (paths, shown) => share.choose(paths, shown) }),
    digests: isQuick ? [] : context.config.settings.digest,
    onDraft: (batch, planned) => tally.neverFetched.addDraft(batch, planned),
    ...onRecord(sink, signal),
  })
  const shown = showProgress(context, () => ({
    progress,
    wrong: tally.wrong,
    reading: isQuick ? undefined : files.open(),
  }))
  try {
    yield* findings
    yield* verifyMirrors(sink.records)
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code !== 'NO_RECORDS') throw error
    if (!tally.neverFetched.hasDrafts) throw tally.neverFetched.whyNothing(context.config, sink) ?? error
    throw new DataferryError(error.code, error.message, { advice: 'To fetch it:', command: resumeLine(context, sink) })
  } finally {
    await shown.stop()
  }
}

/** What is left of a verification. */
interface Kept {
  readonly rolled: RollingOutcome | undefined
  /** URL of the file of `--report`, or else of the summary at the destination; null: nothing was kept. */
  readonly report: string | null
}

function printTally(
  { out, has }: Context,
  sink: Sink,
  { found, bytes, read, wrong }: VerifyTally,
  { rolled, report }: Kept,
): void {
  const amounts = { bytes, ...found, ...(rolled && { read, ...rolled }) }
  out.record({ event: 'verified', destination: sink.url, report, ...amounts })
  const parts = [
    `${formatCount(found.ok)} right (${formatBytes(bytes)}${has('quick') ? '' : ' read'})`,
    ...counted(found['size-only'], 'compared by size only'),
    ...counted(found.missing, 'missing'),
    ...counted(found.changed, 'changed'),
    ...counted(found.extra, 'extra'),
    ...counted(found.unfetched, 'never fetched'),
    ...counted(found.unreadable, found.unreadable === 1 ? 'unreadable record' : 'unreadable records'),
  ]
  out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, wrong === 0 ? 'good' : 'bad')
  if (rolled) out.paragraph(rollingText(read, rolled))
}

/** Names versions of objects that are not finished. @returns their mirrors */
async function tellUnfinished({ out, signal }: Context, sink: Sink): Promise<ReadonlySet<string>> {
  const mirrors = new Set<string>()
  for await (const { path, version, mirror } of unfinishedOfMirrors(sink, signal)) {
    out.record({ event: 'unfinished', path, version, mirror })
    out.line(`unfinished  ${path}  (${version} is being written, or its writer was stopped)`, 'bad')
    mirrors.add(mirror)
  }
  return mirrors
}

function tellHowToRepair({ out, config }: Context, { url }: Sink): void {
  out.line('To repair what is missing or changed:')
  out.line(`  ${pasted(config, 'repair', [shownUrl(url)])}`)
}

function tellHowToFinish({ out, config }: Context, { url }: Sink, mirrors: ReadonlySet<string>): void {
  if (mirrors.size > 0) out.line('To finish what is not finished, where nothing writes it any more:')
  for (const mirror of mirrors) out.line(`  ${pasted(config, 'mirror', ['run', mirror, '--to', shownUrl(url)])}`)
}

function resumeLine({ config }: Context, { url }: Sink): string {
  return pasted(config, 'resume', [shownUrl(url)])
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${formatCount(count)} ${what}`]
}
