import { listBatches } from '../../batch/folder.ts'
import { isReported } from '../../batch/report.ts'
import type { Command } from '../command.ts'
import { openDestination } from '../destination.ts'
import { plural } from '../../model/format.ts'
import { shownUrl } from '../../model/shown-url.ts'

/** What `dataferry clean` does. */
export const run: Command['run'] = async ({ config, args, out, signal, has }) => {
  const sink = await openDestination(config, args[0])
  try {
    let dropped = 0
    if (has('all')) dropped = await sink.sweep(undefined, signal)
    else {
      for (const { id } of await listBatches(sink.records)) {
        if (await isReported(sink.records, id)) dropped += await sink.sweep(id, signal)
      }
    }
    out.result(
      { event: 'cleaned', destination: sink.url, dropped },
      `${shownUrl(sink.url)}: removed ${plural(dropped, 'partial file or upload', 'partial files or uploads')}.`,
    )
    return 0
  } finally {
    await sink.close()
  }
}
