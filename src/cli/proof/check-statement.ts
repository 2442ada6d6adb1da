import { checkRecords, LIST, type RecordFinding, type RecordSum } from '../../batch/record-sums.ts'
import { DataferryError } from '../../errors.ts'
import { formatCount, plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import type { Subject } from './statement-subject.ts'

/** `--check`: 0 the records fit their list, 1 they do not. Rejects with `STATEMENT_REFUSED` where there is none. */
export async function check({ out }: Context, { records, url }: Sink, { folder }: Subject): Promise<ExitCode> {
  const counts = { right: 0, changed: 0, missing: 0, extra: 0 }
  for await (const finding of checkRecords(records, folder)) {
    counts[finding.state]++
    if (finding.state !== 'right') tellMisfit(out, finding)
  }
  const wrong = counts.changed + counts.missing + counts.extra
  if (wrong + counts.right === 0) {
    throw new DataferryError(
      'STATEMENT_REFUSED',
      `.dataferry/${folder} has no records.sha256: nothing says what its records were.`,
      {
        advice: 'Make it with the same command without --check.',
      },
    )
  }
  out.record({ event: 'statement', folder, ...counts })
  const place = `${shownUrl(url)}/.dataferry/${folder}`
  out.paragraph(
    wrong === 0
      ? `${place}: ${plural(counts.right, 'record')} as stated`
      : `${place}: ${formatCount(wrong)} of ${plural(wrong + counts.right, 'record')} not as stated`,
    wrong === 0 ? 'good' : 'bad',
  )
  return wrong === 0 ? 0 : 1
}

/** Records that fit their list, by name. */
export type Sums = ReadonlyMap<string, RecordSum>

export type Misfit = Exclude<RecordFinding, { readonly state: 'right' }>

export function tellMisfit(out: Context['out'], { state, name }: Misfit): void {
  out.result({ event: 'record', state, name }, `${state.padEnd(7)}  ${name}`, 'bad')
}

/** What fits the list, and what does not; a list that was made and is gone does not. */
export async function compared(
  records: Records,
  { folder, hasList }: Subject,
): Promise<{ readonly sums: Sums; readonly wrong: readonly Misfit[] }> {
  const sums = new Map<string, RecordSum>()
  const wrong: Misfit[] = []
  for await (const finding of checkRecords(records, folder)) {
    if (finding.state === 'right') sums.set(finding.name, finding)
    else wrong.push(finding)
  }
  const isGone = hasList && sums.size + wrong.length === 0
  return { sums, wrong: isGone ? [{ state: 'missing', name: LIST }] : wrong }
}
