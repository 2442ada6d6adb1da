import { listBatches } from '../../batch/folder.ts'
import { isReported } from '../../batch/report.ts'
import type { BatchId } from '../../model/batch.ts'
import { plural } from '../../model/format.ts'
import { batchOfKey } from '../../model/item-key.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Command } from '../command.ts'
import { openDestination } from '../destination.ts'

/** What `dataferry clean` does. */
export const run: Command['run'] = async ({ config, args, out, signal, has }) => {
  const sink = await openDestination(config, args[0])
  try {
    const ended = new Set<BatchId | undefined>()
    for (const { id } of has('all') ? [] : await listBatches(sink.records)) {
      if (await isReported(sink.records, id)) ended.add(id)
    }
    const dropped = await sink.sweep(signal, (key) => has('all') || ended.has(batchOfKey(key)))
    out.result(
      { event: 'cleaned', destination: sink.url, dropped },
      `${shownUrl(sink.url)}: removed ${plural(dropped, 'partial file or upload', 'partial files or uploads')}.`,
    )
    return 0
  } finally {
    await sink.close()
  }
}
