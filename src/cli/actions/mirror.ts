import { DataferryError } from '../../errors.ts'
import { asideSince, prune, purge } from '../../mirror/maintenance.ts'
import { listMirrors, readOrder, scopeText } from '../../mirror/order.ts'
import { readPending } from '../../mirror/pending.ts'
import { parseIdentifier } from '../../dataverse/identifier.ts'
import type { Context, ExitCode } from '../command.ts'
import { MIRROR_ACTIONS } from '../mirror/action-names.ts'
import { createMirror } from '../mirror/create.ts'
import { objectStore } from '../mirror/object-store.ts'
import { printRunChanges, printStatus } from '../mirror/print.ts'
import { readAge } from '../mirror/read-scope.ts'
import { runNamedMirror } from '../mirror/run.ts'
import { namedMirror, ownMirror, withSink } from '../mirror/with-mirror.ts'
import { pasted } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { openRuntime } from '../runtime.ts'
import { formatBytes, plural } from '../../model/format.ts'

type Action = (context: Context) => Promise<ExitCode>

const ACTIONS: Readonly<Record<(typeof MIRROR_ACTIONS)[number], Action>> = {
  create: createMirror,
  run: runNamedMirror,
  status,
  changes,
  list,
  prune: pruneMirror,
  purge: purgeDataset,
}

/** What one word of the command line asks for. Throws `ARGUMENT_INVALID`. */
export async function run(context: Context): Promise<ExitCode> {
  const word = context.args[0] ?? ''
  const action = MIRROR_ACTIONS.find((name) => name === word)
  if (action) return ACTIONS[action](context)
  throw new DataferryError('ARGUMENT_INVALID', `mirror has no action ${word}: use ${MIRROR_ACTIONS.join(', ')}.`)
}

function status(context: Context): Promise<ExitCode> {
  return withSink(context, async (sink) => {
    const order = await namedMirror(context, sink)
    await printStatus(context, sink, order, await readPending(sink.records, order.name))
    return 0
  })
}

function changes(context: Context): Promise<ExitCode> {
  return withSink(context, async (sink) => {
    const { name } = await namedMirror(context, sink)
    const run = context.args[2]
    if (await printRunChanges(context, sink, name, run)) return 0
    const message = run === undefined ? `Mirror ${name} has not been run yet.` : `Mirror ${name} has no run ${run}.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  })
}

function list(context: Context): Promise<ExitCode> {
  const { out } = context
  return withSink(context, async (sink) => {
    const mirrors = await listMirrors(sink.records)
    for (const name of mirrors) {
      const order = await readOrder(sink.records, name)
      if (order) out.result({ event: 'mirror', ...order }, `${name}  ${scopeText(order)} on ${order.server}`)
    }
    if (mirrors.length === 0) out.line(`${shownUrl(sink.url)} has no mirror.`)
    return 0
  })
}

function pruneMirror(context: Context): Promise<ExitCode> {
  const { out, config, text } = context
  return withSink(context, async (sink) => {
    const order = await namedMirror(context, sink)
    if (order.layout === 'ocfl') {
      const text = `Mirror ${order.name} keeps what was replaced or removed in the older versions of its objects: there is nothing to prune.`
      out.result({ event: 'pruned', mirror: order.name, files: 0 }, text)
      return 0
    }
    const now = new Date()
    const before = new Date(now.getTime() - readAge('removed-for', text('removed-for')))
    if (context.has('yes')) {
      await using runtime = await openRuntime(context, 'producer')
      await using ownership = await ownMirror(context, runtime, order, sink)
      ownership.lost.throwIfAborted()
      const dropped = await prune(sink, order, before, now)
      out.result({ event: 'pruned', mirror: order.name, files: dropped }, `Dropped ${plural(dropped, 'file')}.`)
      return 0
    }
    let count = 0
    let bytes = 0
    for await (const { dataset, file } of asideSince(sink, order, before)) {
      count++
      bytes += file.size ?? 0
      out.result({ event: 'aside', dataset: dataset.pid, ...file }, `${file.state}  ${file.path}`)
    }
    out.line(`${plural(count, 'file')} (${formatBytes(bytes)}) would be dropped.${count === 0 ? '' : ' To drop them:'}`)
    const words = ['prune', order.name, '--removed-for', text('removed-for') ?? '', '--yes']
    if (count > 0) out.line(`  ${pasted(config, 'mirror', words)}`)
    return 0
  })
}

function purgeDataset(context: Context): Promise<ExitCode> {
  const { out, config, args } = context
  return withSink(context, async (sink) => {
    const order = await namedMirror(context, sink)
    const named = parseIdentifier(args[2] ?? '')
    if (named.kind !== 'pid') throw new DataferryError('ARGUMENT_INVALID', 'Name the dataset by its PID.')
    if (!context.has('yes')) {
      out.line(
        `All files of ${named.pid} would be removed from ${shownUrl(sink.url)}, and never fetched again. To do so:`,
      )
      out.line(`  ${pasted(config, 'mirror', ['purge', order.name, named.pid, '--yes'])}`)
      return 0
    }
    await using runtime = await openRuntime(context, 'producer')
    await using ownership = await ownMirror(context, runtime, order, sink)
    ownership.lost.throwIfAborted()
    const removed = await purge(sink, order, named.pid, { now: new Date(), store: objectStore(context, sink, order) })
    if (removed === undefined) {
      throw new DataferryError('ARGUMENT_INVALID', `Mirror ${order.name} holds no dataset ${named.pid}.`)
    }
    const record = { event: 'purged', mirror: order.name, dataset: named.pid, files: removed }
    out.result(record, `Removed ${plural(removed, 'file')} of ${named.pid}; it will not come back.`)
    return 0
  })
}
