import { fileURLToPath } from 'node:url'
import { newVerifyProgress } from '../../batch/verify-destination.ts'
import { DataferryError } from '../../errors.ts'
import { formatBytes, plural } from '../../model/format.ts'
import type { ActiveFile } from '../../model/progress-snapshot.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { diskTree, storedTree } from '../../proof/tree.ts'
import type { OcflFinding } from '../../proof/ocfl/validate/codes.ts'
import { unfinishedIn } from '../../proof/ocfl/unfinished.ts'
import { ocflKind, validateOcfl, type OcflKind } from '../../proof/ocfl/validate/validate-root.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { showProgress } from './progress.ts'

const KEY = 'verify-0'
/** What is about records of dataferry, which an OCFL storage root does not need. */
const OF_RECORDS = ['wanted', 'rolling', 'report', 'digest']

/** What of OCFL a destination is, if it has no batches of its own. */
export async function ocflAt(sink: Sink, signal: AbortSignal): Promise<OcflKind | undefined> {
  if ((await sink.records.folders()).length > 0) return undefined
  return ocflKind(async (path) => (await sink.stat(path, KEY, signal)) !== undefined)
}

/** Validates a storage root or an object of OCFL: 0 valid, 1 anything else. */
export async function verifyOcfl(context: Context, sink: Sink, kind: OcflKind): Promise<ExitCode> {
  const { out, signal, has, text } = context
  const flag = OF_RECORDS.find((one) => has(one) || text(one) !== undefined)
  if (flag !== undefined) {
    const message = `--${flag} is for what dataferry fetched: ${shownUrl(sink.url)} is OCFL, and is verified by its own inventories.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  }
  const readsContent = !has('quick')
  const counts = { objects: 0, versions: 0, files: 0, bytes: 0, error: 0, warning: 0, note: 0 }
  const progress = newVerifyProgress()
  progress.phase = 'listing'
  const reading = new Set<ActiveFile & { bytes: number }>()
  const shown = showProgress(context, () => ({ progress, wrong: counts.error, reading: [...reading] }))
  try {
    await validateOcfl({
      kind,
      tree: sink.url.startsWith('file:') ? diskTree(fileURLToPath(sink.url)) : storedTree(sink, KEY, signal),
      readsContent,
      signal,
      onListed: (size) => {
        progress.files++
        progress.bytes += size
      },
      onAllListed: () => {
        progress.phase = 'files'
      },
      onRead: (path, size) => {
        const file = { path, size, bytes: 0 }
        reading.add(file)
        return (bytes) => {
          file.bytes = bytes ?? size
          if (bytes !== undefined) return
          reading.delete(file)
          progress.bytesSeen += size
        }
      },
      onFinding: (finding) => {
        counts[finding.level]++
        tell(context, finding)
      },
      onObject: ({ versions, files, bytes, all }) => {
        progress.filesSeen += all.files
        // Of the content it is counted when it is read.
        progress.bytesSeen += all.bytes - (readsContent ? bytes : 0)
        counts.objects++
        counts.versions += versions
        counts.files += files
        counts.bytes += bytes
      },
    })
  } finally {
    await shown.stop()
  }
  if (kind === 'root') {
    for await (const { path, version } of unfinishedIn(sink, '', signal)) {
      counts.note++
      tell(context, { level: 'note', path, message: unfinishedText(version) })
    }
  }
  const { error, warning, note, bytes, ...rest } = counts
  const isGood = error === 0
  out.record({ event: 'ocfl-verified', destination: sink.url, kind, ...rest, bytes, errors: error, warnings: warning })
  const parts = [
    `${isGood ? 'valid' : 'not valid'} by OCFL`,
    `${plural(rest.objects, 'object')}, ${plural(rest.versions, 'version')}, ${plural(rest.files, 'file')}`,
    `${formatBytes(bytes)}${readsContent ? ' read' : ' not read'}`,
    ...(error > 0 ? [plural(error, 'error')] : []),
    ...(warning > 0 ? [plural(warning, 'warning')] : []),
    ...(note > 0 ? [plural(note, 'note')] : []),
  ]
  out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, isGood ? 'good' : 'bad')
  return isGood ? 0 : 1
}

function unfinishedText(version: string): string {
  const next =
    'the next run of its mirror, or `dataferry export ocfl` into this storage root, finishes it or takes it back'
  return `${version} of this object is being written, or its writer was stopped: ${next}.`
}

function tell({ out }: Context, { level, code, path, message }: OcflFinding): void {
  out.record({ event: 'ocfl-finding', level, code, path, message })
  const where = path === '' ? '' : `${path}  `
  out.line(`${(code ?? level).padEnd(5)}  ${where}${message}`, level === 'error' ? 'bad' : 'warn')
}
