import type { MirrorOrder } from '../../mirror/order.ts'
import type { RunReport } from '../../mirror/report.ts'
import { formatCount, plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { rootOf } from '../../proof/ocfl/mirror-objects.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { pasted } from '../pasted.ts'

/** Datasets whose objects could not be written by the last run. */
export interface Unstored {
  /** PIDs of some. */
  readonly some: readonly string[]
  readonly count: number
}

/** Names the objects that could not be written, with the reason and what to do. */
export function printUnstored(
  context: Context,
  sink: Sink,
  order: MirrorOrder,
  { some, count }: Unstored,
  last: RunReport | undefined,
): void {
  const { out } = context
  if (count === 0) return
  const what = `${plural(count, 'object')} could not be written: what came for ${count === 1 ? 'it' : 'them'} is kept in folders`
  out.paragraph(what, 'bad')
  for (const dataset of some) {
    const problem = last?.problems.find((one) => one.dataset === dataset)
    out.line(`    ${dataset}`)
    if (problem) out.paragraph(`      ${problem.message} (${problem.code})`)
  }
  if (count > some.length) out.line(`    … and ${formatCount(count - some.length)} more.`)
  printMending(context, sink, order)
}

/** What to do about objects that another program has touched. */
export function printMending({ out, config }: Context, sink: Sink, order: MirrorOrder): void {
  const place = shownUrl(sink.url)
  out.paragraph(
    'Put such an object back as its inventory says: `repair` brings back its content, a copy what another program has changed. To ' +
      'look at it, and then to store what came for it:',
  )
  out.line(`  ${pasted(config, 'verify', [`${place}/${rootOf(order)}`])}`)
  out.line(`  ${pasted(config, 'mirror', ['run', order.name, '--to', place])}`)
}
