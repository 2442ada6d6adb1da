import { readReport } from '../../batch/report.ts'
import type { Finding } from '../../batch/verify-destination.ts'
import { DataferryError } from '../../errors.ts'
import type { NeverRun } from '../../mirror/check-records.ts'
import type { BatchId } from '../../model/batch.ts'
import { formatCount, plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { pasted } from '../pasted.ts'
import { failedForGood } from '../summary.ts'

/** Batches that are named each; the rest is counted. */
const SHOWN = 20

/** How a batch stands that has not fetched everything. */
type Standing = 'open' | 'failed' | 'failed for good' | 'unknown'

/** Files that were planned and never fetched, counted by the batch or mirror that is to fetch them. */
export class NeverFetched {
  readonly #mirrors = new Map<string, number>()
  readonly #batches = new Map<BatchId, number>()
  /** Batches that were only planned, and how many files each has. */
  readonly #drafts = new Map<BatchId, number>()
  /** Mirrors that have not finished a run. */
  readonly #neverRun: NeverRun[] = []
  files = 0

  get hasDrafts(): boolean {
    return this.#drafts.size > 0
  }

  /** How many mirrors have begun their first run and not finished it: nobody knows yet what these lack. */
  get begun(): number {
    return this.#neverRun.filter(({ hasBegun }) => hasBegun).length
  }

  /** Why there is nothing to verify, where only mirrors are there that have not finished a run. */
  whyNothing(config: Context['config'], sink: Sink): DataferryError | undefined {
    const [first] = this.#neverRun
    if (!first) return undefined
    const message = `There is nothing to compare with. ${told(first)}`
    return new DataferryError('NO_RECORDS', message, {
      advice: 'To run it:',
      command: runLine(config, sink, first.mirror),
    })
  }

  addNeverRun(mirror: NeverRun): void {
    this.#neverRun.push(mirror)
  }

  /** Nobody has asked for the files of a draft yet, so that they are not missed. */
  addDraft(batch: BatchId, planned: number): void {
    this.#drafts.set(batch, planned)
  }

  add(finding: Finding): void {
    if (finding.state !== 'unfetched') return
    this.files++
    const { batch, mirror } = finding
    const [counts, name] = mirror === undefined ? [this.#batches, batch] : [this.#mirrors, mirror]
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }

  /** Says which command goes on with each batch and mirror, as they are now. */
  async tell({ out, config }: Context, sink: Sink): Promise<void> {
    const place = shownUrl(sink.url)
    for (const one of this.#neverRun) {
      out.record({ event: 'never-run', ...one })
      out.line(told(one), one.hasBegun ? 'bad' : 'warn')
      out.line(`  ${runLine(config, sink, one.mirror)}`)
    }
    for (const [mirror, files] of this.#mirrors) {
      out.record({ event: 'never-fetched', mirror, files })
      out.line(`To try again what the mirror ${mirror} lacks (with --full also what the server withholds):`)
      out.line(`  ${runLine(config, sink, mirror)}`)
    }
    const standings: Record<Standing, BatchId[]> = { open: [], failed: [], 'failed for good': [], unknown: [] }
    for (const [batch, files] of this.#batches) {
      out.record({ event: 'never-fetched', batch, files })
      standings[await standingOf(sink, batch)].push(batch)
    }
    const { open, failed, unknown } = standings
    for (const [batch, planned] of this.#drafts) {
      out.record({ event: 'draft', batch, planned })
      out.line(`${batch} was only planned: nobody has asked for its ${plural(planned, 'file')} yet.`)
    }
    if (open.length > 0 || this.hasDrafts) {
      out.line(open.length > 0 ? 'To go on with what has not ended:' : 'To fetch what was planned:')
      out.line(`  ${pasted(config, 'resume', [place])}`)
    }
    for (const batch of failed.slice(0, SHOWN)) {
      out.line(`To try again what failed in ${batch}:`)
      out.line(`  ${pasted(config, 'retry', [batch])}`)
    }
    if (failed.length > SHOWN) out.line(`… and in ${formatCount(failed.length - SHOWN)} more batches.`)
    for (const batch of standings['failed for good'].slice(0, SHOWN))
      out.paragraph(`What failed in ${batch} fails again: .dataferry/${batch}/failures.csv says why.`)
    if (unknown.length > 0) {
      out.line('For some files no record says how they ended. To list them and get the command that fetches them:')
      out.line(`  ${pasted(config, 'verify', [place, '--wanted', 'wanted.csv'])}`)
    }
  }
}

function told({ mirror, hasBegun }: NeverRun): string {
  return hasBegun
    ? `The mirror ${mirror} has not finished its first run: what it lacks is not known.`
    : `The mirror ${mirror} has never been run.`
}

function runLine(config: Context['config'], { url }: Sink, mirror: string): string {
  return pasted(config, 'mirror', ['run', mirror, '--to', shownUrl(url)])
}

async function standingOf({ records }: Sink, batch: BatchId): Promise<Standing> {
  const report = await readReport(records, batch)
  if (!report || report.waiting > 0) return 'open'
  if (report.failed === 0) return 'unknown'
  return report.failed > failedForGood(report) ? 'failed' : 'failed for good'
}
