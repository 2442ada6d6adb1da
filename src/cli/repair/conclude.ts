import { ExternalSort } from '../../batch/external-sort.ts'
import type { Finding } from '../../batch/verify-destination.ts'
import { mapInOrder } from '../../async/map-in-order.ts'
import { joined } from '../../mirror/joined.ts'
import { formatBytes, formatCount, plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { failedSchema, type Failed } from '../../proof/repair/failed.ts'
import { lookAgain } from '../../proof/repair/look-again.ts'
import { asideOf, type PendingRepair } from '../../proof/repair/records.ts'
import type { WrongFile, WrongFiles } from '../../proof/repair/wrong-files.ts'
import { keyed } from '../../proof/verify/results.ts'
import { isRecord } from '../../sinks/names.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { FILES_AT_ONCE, FilesRead } from '../verify/files-read.ts'
import type { Keeping } from '../verify/keep.ts'

/** Files that are looked at while an earlier one is not finished. */
const AHEAD = 1_000

export interface Repairing {
  readonly kept: Keeping
  readonly wrong: WrongFiles
  readonly pending: PendingRepair
  /** Read to the end first. */
  readonly failures: AsyncIterable<Failed>
}

interface Looked {
  readonly wrong: WrongFile
  readonly finding: Finding
  readonly failed: Failed | undefined
}

/** Looks at every file that was wrong, and says what became of it: a file is repaired when its bytes have been read and are right. */
export async function conclude(
  context: Context,
  sink: Sink,
  { kept, wrong, pending, failures }: Repairing,
): Promise<ExitCode> {
  const { out, signal } = context
  await using reasons = new ExternalSort<Failed>(failedSchema)
  for await (const failed of failures) await reasons.add(failed.path, failed)
  const { hash } = new FilesRead(sink, signal)
  const counts = { repaired: 0, notRepaired: 0, bytes: 0, aside: 0 }
  const look = async ({ wrong: one, failed }: Omit<Looked, 'finding'>): Promise<Looked> => ({
    wrong: one,
    failed,
    finding: await lookAgain(one, sink, hash, signal),
  })
  const looked = mapInOrder(withReasons(wrong, reasons), { concurrency: FILES_AT_ONCE, ahead: AHEAD }, look)
  for await (const { wrong: one, finding, failed } of looked) {
    await kept.add(finding)
    const aside = one.state === 'changed' && !isRecord(one.path) ? asideOf(pending, one.path) : undefined
    if (finding.state === 'ok' || finding.state === 'size-only') {
      counts.repaired++
      counts.bytes += finding.size
      const keptAt = pending.keepsDamaged ? aside : undefined
      if (keptAt !== undefined) counts.aside++
      out.record({ event: 'repaired', path: one.path, was: one.state, ...(keptAt !== undefined && { aside: keptAt }) })
      out.line(`repaired  ${one.path}`, 'good')
      if (keptAt !== undefined) out.line(`    the damaged file: ${keptAt}`, 'dim')
      continue
    }
    counts.notRepaired++
    // It is still where it was.
    if (aside !== undefined && finding.state === 'changed') await sink.remove(aside)
    const { code, message } = failed ?? {
      code: undefined,
      message: 'No server can be asked for it: use --from with another copy.',
    }
    out.record({ event: 'not-repaired', path: one.path, state: finding.state, code, message })
    out.line(`not repaired  ${one.path}`, 'bad')
    out.paragraph(`    ${message}${code === undefined ? '' : ` (${code})`}`)
  }
  out.record({ event: 'repair', destination: sink.url, wrong: wrong.count, ...counts })
  const parts = [
    `${plural(counts.repaired, 'file')} repaired (${formatBytes(counts.bytes)})`,
    ...(counts.notRepaired > 0 ? [`${formatCount(counts.notRepaired)} not`] : []),
  ]
  out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, counts.notRepaired === 0 ? 'good' : 'bad')
  if (counts.aside > 0) {
    const what = plural(counts.aside, 'damaged file is', 'damaged files are')
    out.paragraph(`${what} kept in ${asideOf(pending)} until you remove that.`)
  }
  return counts.notRepaired === 0 ? 0 : 1
}

async function* withReasons(
  wrong: WrongFiles,
  reasons: ExternalSort<Failed>,
): AsyncGenerator<{ readonly wrong: WrongFile; readonly failed: Failed | undefined }> {
  for await (const { left, right } of joined(keyed(wrong.all()), keyed(reasons.values()))) {
    if (left) yield { wrong: left.value, failed: right?.value }
  }
}
