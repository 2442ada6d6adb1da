import { availableParallelism } from 'node:os'
import { newVerifyProgress, verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { mirrorReceipts, verifyMetadata } from '../../mirror/proof.ts'
import { formatBytes, formatCount } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { datasetOf } from '../../proof/verify/dataset-of.ts'
import { findingRecord } from '../../proof/verify/finding-record.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { FilesRead } from './files-read.ts'
import { keepIfPossible } from './keep.ts'
import { printFinding } from './print.ts'
import { showProgress } from './progress.ts'
import { ocflAt, verifyOcfl } from './ocfl.ts'
import { ReportFile } from './report-file.ts'
import { VerifyTally } from './tally.ts'
import { openWanted } from './wanted.ts'

/** Files read at the same time: so many that neither a core nor the disk waits for the other. */
const FILES_AT_ONCE = Math.min(16, Math.max(4, 2 * availableParallelism()))
/** Requests to a store at the same time where nothing is read: they are nothing but waiting. */
const LOOKS_AT_ONCE = 32

/** Verifies a destination and prints what is not right. */
export async function verify(context: Context): Promise<ExitCode> {
  const sink = await openDestination(context.config, context.args[0])
  try {
    const ocfl = await ocflAt(sink, context.signal)
    return ocfl ? await verifyOcfl(context, sink, ocfl) : await verifyAt(context, sink)
  } finally {
    await sink.close()
  }
}

async function verifyAt(context: Context, sink: Sink): Promise<ExitCode> {
  const { out, text, now } = context
  const isQuick = context.has('quick')
  const startedAt = now().toISOString()
  await using wanted = await openWanted(text('wanted'), sink.records)
  await using report = await ReportFile.open(text('report'))
  // What was not read proves nothing that could be kept.
  await using kept = isQuick ? undefined : await keepIfPossible(context, sink)
  const tally = new VerifyTally()
  const dataset = datasetOf(sink.records)
  for await (const finding of findingsAt(context, sink, tally)) {
    tally.add(finding)
    await kept?.add(finding)
    if (finding.state === 'ok') continue
    const record = findingRecord(finding, await dataset(finding))
    printFinding(out, finding, record)
    if (finding.state !== 'size-only') await report?.add(record)
    await wanted?.add(finding)
  }
  const { read, found } = tally
  await kept?.end({
    mode: 'full',
    startedAt,
    endedAt: now().toISOString(),
    read,
    held: read,
    neverRead: { files: 0, bytes: 0 },
    found,
  })
  await report?.end()
  printTally(context, sink, tally)
  await wanted?.write(context, sink.url)
  return tally.wrong === 0 ? 0 : 1
}

/** Every finding, while the progress is shown. */
async function* findingsAt(context: Context, sink: Sink, tally: VerifyTally): AsyncGenerator<Finding> {
  const { signal } = context
  const isQuick = context.has('quick')
  const progress = newVerifyProgress()
  const files = new FilesRead(sink, signal)
  const findings = verifyDestination(sink, {
    hash: isQuick ? files.recorded : files.hash,
    signal,
    concurrency: isQuick ? LOOKS_AT_ONCE : FILES_AT_ONCE,
    progress,
    also: mirrorReceipts(sink.records),
  })
  const shown = showProgress(context, () => ({
    progress,
    wrong: tally.wrong,
    reading: isQuick ? undefined : files.open(),
  }))
  try {
    yield* findings
    yield* verifyMetadata(sink.records)
  } finally {
    await shown.stop()
  }
}

function printTally({ out, has }: Context, sink: Sink, { found, bytes, wrong }: VerifyTally): void {
  out.record({ event: 'verified', destination: sink.url, bytes, ...found })
  const parts = [
    `${formatCount(found.ok)} right (${formatBytes(bytes)}${has('quick') ? '' : ' read'})`,
    ...counted(found['size-only'], 'compared by size only'),
    ...counted(found.missing, 'missing'),
    ...counted(found.changed, 'changed'),
    ...counted(found.extra, 'extra'),
    ...counted(found.unfetched, 'never fetched'),
    ...counted(found.unreadable, 'unreadable records'),
  ]
  out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, wrong === 0 ? 'good' : 'bad')
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${formatCount(count)} ${what}`]
}
