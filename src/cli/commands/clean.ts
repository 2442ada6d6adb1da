import { listBatches } from '../../batch/folder.ts'
import { isReported } from '../../batch/report.ts'
import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, openDestination } from '../destination.ts'
import { plural } from '../terminal/format.ts'
import { shownUrl } from '../../model/shown-url.ts'

/** `dataferry clean`: frees what ended and abandoned batches left half-made. */
export const command: Command = {
  examples: ['dataferry clean ./data', 'dataferry clean s3://bucket/prefix --all'],
  about:
    'Drops parts and open uploads that nobody goes on with. Unfinished batches keep theirs unless --all is given; then their ' +
    'files in flight begin again. Never touches a finished file.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--all', help: 'also what unfinished batches would go on with' }],
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
        `${shownUrl(sink.url)}: dropped ${plural(dropped, 'unfinished part or upload', 'unfinished parts or uploads')}.`,
      )
      return 0
    } finally {
      await sink.close()
    }
  },
}
