import type { MirrorOrder } from '../../mirror/order.ts'
import type { DatasetStore } from '../../mirror/store.ts'
import { mirrorObjects } from '../../proof/ocfl/mirror-objects.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { objectUser } from '../proof/export-objects.ts'

/** Where a mirror keeps its datasets; undefined: in folders. */
export function objectStore(
  { config, now, signal }: Context,
  sink: Sink,
  order: MirrorOrder,
): DatasetStore | undefined {
  if (order.layout === 'tree') return undefined
  return mirrorObjects({ sink, order, user: objectUser(config), now, signal })
}
