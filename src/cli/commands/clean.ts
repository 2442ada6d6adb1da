import { listBatches } from '../../batch/folder.ts'
import { isReported } from '../../batch/report.ts'
import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, openDestination } from '../destination.ts'
import { plural } from '../terminal/format.ts'
import { shownUrl } from '../../model/shown-url.ts'

/** `dataferry clean`: removes what finished and abandoned batches left behind. */
export const command: Command = {
  examples: ['dataferry clean ./data', 'dataferry clean s3://bucket/prefix --all'],
  about:
    'Unfinished batches keep their partial files and uploads unless --all is given; then their files in flight start over. ' +
    'Never touches a finished file.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--all', help: 'also those that unfinished batches would continue' }],
  run: async ({ config, args, out, signal, has }) => {
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
  },
}
