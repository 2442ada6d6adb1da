import { checkRecords, LIST, type RecordFinding, type RecordSum } from '../../batch/record-sums.ts'
import { DataferryError } from '../../errors.ts'
import type { LinkedFinding } from '../../mirror/linked-records.ts'
import { formatCount, plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { findSignature, signatureText } from './find-signature.ts'
import type { Subject } from './statement-subject.ts'

/**
 * `--check`: 0 the records fit their list, and so does its signature where there is one; 1 they do not. Rejects with `STATEMENT_REFUSED`
 * where there is no list.
 */
export async function check(context: Context, { records, url }: Sink, subject: Subject): Promise<ExitCode> {
  const { out } = context
  const { folder } = subject
  const counts = { right: 0, changed: 0, missing: 0, extra: 0, unstated: 0 }
  let fits = true
  for await (const finding of checkRecords(records, folder)) {
    counts[finding.state]++
    if (finding.state === 'right') continue
    fits = false
    tellMisfit(out, finding)
  }
  if (fits && counts.right === 0) {
    throw new DataferryError(
      'STATEMENT_REFUSED',
      `.dataferry/${folder} has no records.sha256: nothing says what its records were.`,
      {
        advice: 'Make it with the same command without --check.',
      },
    )
  }
  // What does not fit its list cannot say what other records were.
  if (fits) for await (const { state } of linkedTold(context, subject)) counts[state]++
  const signature = await findSignature(context, records, subject)
  out.record({ event: 'statement', folder, ...counts, signature })
  const wrong = counts.changed + counts.missing + counts.extra
  const place = `${shownUrl(url)}/.dataferry/${folder}`
  out.paragraph(
    wrong === 0
      ? `${place}: ${plural(counts.right, 'record')} as stated`
      : `${place}: ${formatCount(wrong)} of ${plural(wrong + counts.right, 'record')} not as stated`,
    wrong === 0 ? 'good' : 'bad',
  )
  if (wrong > 0 && fits) tellUnfinished(context, subject)
  if (counts.unstated > 0) {
    out.paragraph(
      `Of ${plural(counts.unstated, 'record')} more nothing is stated: an older version wrote them without a digest.`,
      'warn',
    )
  }
  const isTrusted = signature.state !== 'bad'
  out.paragraph(signatureText(signature), isTrusted ? 'plain' : 'bad')
  return wrong === 0 && isTrusted ? 0 : 1
}

/** Records that fit their list, by name. */
export type Sums = ReadonlyMap<string, RecordSum>

export type Misfit = Exclude<RecordFinding, { readonly state: 'right' }>

export function tellMisfit(out: Context['out'], { state, name }: Misfit): void {
  out.result({ event: 'record', state, name }, `${state.padEnd(7)}  ${name}`, 'bad')
}

/** The records that those of a subject lead to, each told if it is not as they say. */
export async function* linkedTold({ out }: Context, { linked }: Subject): AsyncGenerator<LinkedFinding, void> {
  for await (const finding of linked()) {
    const { state, name, dataset } = finding
    if (state === 'changed' || state === 'missing') {
      out.result(
        { event: 'record', state, name, dataset },
        `${state.padEnd(7)}  .dataferry/${name} of ${dataset}`,
        'bad',
      )
    }
    yield finding
  }
}

/** Says why the records that others lead to may differ, where that is known. */
export function tellUnfinished({ out, config, text }: Context, { unfinished }: Subject): void {
  if (unfinished === undefined) return
  out.paragraph('A run of this mirror has not ended, and changes such records. Finish it first:')
  out.line(`  ${pasted(config, 'mirror', ['run', unfinished, '--to', text('from') ?? ''])}`)
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
