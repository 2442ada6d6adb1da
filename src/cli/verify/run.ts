import { availableParallelism } from 'node:os'
import { newVerifyProgress, verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { mirrorReceipts, verifyMetadata } from '../../mirror/proof.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { formatBytes, formatCount } from '../../model/format.ts'
import { FilesRead } from './files-read.ts'
import { showProgress } from './progress.ts'
import { openWanted } from './wanted.ts'

/** Files read at the same time: so many that neither a core nor the disk waits for the other. */
const FILES_AT_ONCE = Math.min(16, Math.max(4, 2 * availableParallelism()))
/** Requests to a store at the same time where nothing is read: they are nothing but waiting. */
const LOOKS_AT_ONCE = 32

/** Verifies a destination and prints what is not right. */
export async function verify(context: Context): Promise<ExitCode> {
  const { config, args, out, signal, text } = context
  const isQuick = context.has('quick')
  const sink = await openDestination(config, args[0])
  const counts = { ok: 0, 'size-only': 0, missing: 0, changed: 0, extra: 0, unfetched: 0, unreadable: 0 }
  const wrong = (): number => counts.missing + counts.changed + counts.extra + counts.unfetched + counts.unreadable
  let bytes = 0
  try {
    await using wanted = await openWanted(text('wanted'), sink.records)
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
      wrong: wrong(),
      reading: isQuick ? undefined : files.open(),
    }))
    try {
      for await (const finding of findings) {
        counts[finding.state]++
        if ('size' in finding) bytes += finding.size
        report(context, finding)
        await wanted?.add(finding)
      }
      for await (const finding of verifyMetadata(sink.records)) {
        counts[finding.state]++
        report(context, finding)
      }
    } finally {
      await shown.stop()
    }
    out.record({ event: 'verified', destination: sink.url, bytes, ...counts })
    const parts = [
      `${formatCount(counts.ok)} right (${formatBytes(bytes)}${isQuick ? '' : ' read'})`,
      ...counted(counts['size-only'], 'compared by size only'),
      ...counted(counts.missing, 'missing'),
      ...counted(counts.changed, 'changed'),
      ...counted(counts.extra, 'extra'),
      ...counted(counts.unfetched, 'never fetched'),
      ...counted(counts.unreadable, 'unreadable records'),
    ]
    out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, wrong() === 0 ? 'good' : 'bad')
    await wanted?.write(context, sink.url)
    return wrong() === 0 ? 0 : 1
  } finally {
    await sink.close()
  }
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${formatCount(count)} ${what}`]
}

function report({ out }: Context, finding: Finding): void {
  if (finding.state === 'ok') return
  out.record({ event: 'finding', ...finding })
  switch (finding.state) {
    case 'size-only':
      return
    case 'missing':
      out.line(`missing  ${finding.path}`, 'bad')
      return
    case 'changed':
      out.line(`changed  ${finding.path}  (${finding.found}, was ${finding.expected})`, 'bad')
      return
    case 'extra':
      out.line(`extra    ${finding.path}  (no receipt knows it)`, 'warn')
      return
    case 'unfetched':
      out.line(`never fetched  ${finding.path}  (${finding.why ?? 'not tried yet'})`, 'bad')
      return
    case 'unreadable':
      out.line(`unreadable  ${finding.message}`, 'bad')
  }
}
