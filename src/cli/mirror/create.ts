import { markDestination, refuseLostRecords } from '../../batch/destination.ts'
import { DataferryError } from '../../errors.ts'
import {
  checkMirrorName,
  LAYOUTS,
  listMirrors,
  METADATA,
  readOrder,
  scopeText,
  VERSIONS,
  writeOrder,
} from '../../mirror/order.ts'
import type { MirrorOrder } from '../../mirror/order.ts'
import { overlaps } from '../../mirror/overlap.ts'
import type { MirrorSource } from '../../model/mirror-source.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { readFilters } from '../filter-flags.ts'
import { lookAtServers } from '../look-at-servers.ts'
import { pasted } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { placeFor } from '../places.ts'
import { Sources } from '../sources.ts'
import { readChoice, readScope, readShare } from './read-scope.ts'
import { withSink } from './with-mirror.ts'

/** `dataferry mirror create`: writes the standing order, and fetches nothing. */
export function createMirror(context: Context): Promise<ExitCode> {
  const { config, args, text, out, signal } = context
  const name = checkMirrorName(args[1] ?? '')
  const [server, ...others] = config.servers
  if (server === undefined || others.length > 0) {
    throw new DataferryError('CONFIG_INVALID', 'A mirror is of one server: name it with --server.')
  }
  return withSink(context, async (sink) => {
    const filters = readFilters(context)
    const maxRemovals = readShare('max-removals', text('max-removals'))
    const layout = readChoice('layout', text('layout'), LAYOUTS, 'tree')
    // What objects address their content by is taken as it comes, so that nothing has to be read again.
    const digests = new Set([...config.settings.digest, ...(layout === 'ocfl' ? (['sha512'] as const) : [])])
    const order: MirrorOrder = {
      v: 1,
      name,
      createdAt: new Date().toISOString(),
      server,
      scope: await readScope(context),
      versions: readChoice('versions', text('versions'), VERSIONS, 'latest'),
      layout,
      metadata: readChoice('metadata', text('metadata'), METADATA, 'dataset'),
      ...(filters && { filters }),
      ...(digests.size > 0 && { digests: [...digests] }),
      ...(maxRemovals !== undefined && { maxRemovals }),
    }
    if (await readOrder(sink.records, name)) {
      const message = `${shownUrl(sink.url)} has a mirror ${name} already: choose another name.`
      throw new DataferryError('ARGUMENT_INVALID', message)
    }
    await lookAtServers(context, [server])
    const sources = new Sources(context)
    try {
      const source = sources.mirror(server)
      await checkScope(source, order, signal)
      await refuseOverlap(context, sink, source, order)
    } finally {
      await sources.close()
    }
    await refuseLostRecords(sink, () => Promise.resolve([]))
    await markDestination(sink.records)
    await writeOrder(sink.records, order)
    const place = placeFor(out, sink.url)
    out.record({ event: 'mirror', destination: sink.url, ...order })
    out.line(`Mirror ${name} will keep ${scopeText(order)} of ${server} in ${place}. To fetch it:`)
    out.line(`  ${pasted(config, 'mirror', ['run', name])}`)
    return 0
  })
}

/** Asks whether there is such a collection, search or set at all. */
async function checkScope(source: MirrorSource, { scope, server }: MirrorOrder, signal: AbortSignal): Promise<void> {
  switch (scope.kind) {
    case 'collections':
      for (const alias of scope.collections) await source.owners(alias, signal)
      return
    case 'oai-set':
      await source.setDefinition(scope.set, signal)
      return
    case 'query':
      for await (const _ of source.search({ query: scope.query }, 0, signal)) return
      throw new DataferryError('ARGUMENT_INVALID', `The search ${scope.query} finds no released dataset on ${server}.`)
    case 'datasets':
  }
}

async function refuseOverlap(
  context: Context,
  { records, url }: Sink,
  source: MirrorSource,
  order: MirrorOrder,
): Promise<void> {
  for (const name of await listMirrors(records)) {
    const other = await readOrder(records, name)
    if (!other || other.server !== order.server) continue
    if (!(await overlaps(order.scope, other.scope, source, context.signal))) continue
    const message =
      `${scopeText(order)} has datasets that mirror ${name} at ${shownUrl(url)} keeps as well (${scopeText(other)}). ` +
      'Choose another destination, or a scope beside it.'
    throw new DataferryError('ARGUMENT_INVALID', message)
  }
}
