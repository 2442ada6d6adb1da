import { every } from '../../async/every.ts'
import { DataferryError } from '../../errors.ts'
import { NO_PROGRESS } from '../../model/progress-snapshot.ts'
import type { Holding, HoldingFile } from '../../proof/holding.ts'
import { tidy } from '../../proof/pack/write-pack.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import { reportError } from '../failure.ts'
import { startProgress } from '../terminal/progress.ts'
import { MetadataGatherer } from './gather-metadata.ts'
import { openTarget } from './open-target.ts'

/** Where data is handed on from, and where to. */
export interface HandingOn {
  readonly from: Sink
  readonly to: Sink
  readonly gatherer: MetadataGatherer
}

/** Opens both places for as long as the work lasts. Rejects as `openTarget` does. */
export async function withHandingOn<T>(
  context: Context,
  request: { readonly from: string; readonly offline: boolean },
  work: (places: HandingOn) => Promise<T>,
): Promise<T> {
  const from = await openDestination(context.config, request.from)
  try {
    const to = await openTarget(context, from)
    const gatherer = new MetadataGatherer(context, request.offline)
    try {
      return await work({ from, to, gatherer })
    } finally {
      await gatherer.close()
      await tidy(to)
    }
  } finally {
    await from.close()
  }
}

/** What has been read of a holding. */
export interface Seen {
  readonly files: number
  readonly bytes: number
  readonly onFile: (file: Pick<HoldingFile, 'size'>) => void
}

/** How the work on one holding ended, and what is said of it. */
export interface HandedOn<S extends string> {
  readonly state: S
  readonly record: Readonly<Record<string, unknown>>
  readonly text: string
}

/** Says of a dataset that has left its server that this is a copy of what it was. */
export function tellLeft({ out }: Pick<Context, 'out'>, { dataset, left }: Holding): void {
  if (!dataset || !left) return
  const what = left.state === 'gone' ? 'is gone from its server' : 'was deaccessioned on its server'
  const reason = left.reason === undefined ? '' : ` (“${left.reason}”)`
  out.warn(`${dataset.pid} ${what}${reason}: this is the copy that is held here.`)
}

/** Works on one holding while its progress is shown, and prints how that ended; what is about it alone ends nothing else. */
export async function handOnOne<S extends string>(
  context: Context,
  noun: string,
  work: (seen: Seen) => Promise<HandedOn<S>>,
): Promise<S | 'refused'> {
  const { out, has } = context
  const counts = { files: 0, bytes: 0 }
  const onFile: Seen['onFile'] = ({ size }) => {
    counts.files++
    counts.bytes += size
  }
  const seen = Object.assign(counts, { onFile })
  const shown = showProgress(context, noun, seen)
  try {
    const { state, record, text } = await work(seen)
    await shown.stop()
    out.result({ ...record, state }, text)
    return state
  } catch (error) {
    await shown.stop()
    if (!isOfOne(error)) throw error
    reportError(error, out, has('verbose'))
    return 'refused'
  }
}

const OF_ONE: readonly string[] = [
  'BAG_REFUSED',
  'OCFL_REFUSED',
  'CHECKSUM_MISMATCH',
  'SINK_FAILED',
  'SINK_BUSY',
  'SINK_EXISTS',
]

/** Whether an error is about one holding: the others can still be handed on. A server that cannot be asked is about all. */
function isOfOne(error: unknown): error is DataferryError {
  if (!(error instanceof DataferryError)) return false
  return OF_ONE.includes(error.code) || (error.code.startsWith('SOURCE_') && error.remedy === 'fail')
}

const LOOK_MS = 200

/** Counts files and bytes until it is stopped. */
function showProgress(
  { out, logsToTerminal }: Context,
  noun: string,
  seen: Pick<Seen, 'files' | 'bytes'>,
): { stop(): Promise<void> } {
  const shown = startProgress({ out, label: 'files', logsToTerminal })
  const look = (): void => {
    const { files, bytes } = seen
    shown.update({ ...NO_PROGRESS, phase: noun, planned: files, done: files, bytes, plannedBytes: bytes })
  }
  const timer = every(LOOK_MS, look, () => undefined)
  return {
    stop: async () => {
      await timer.stop()
      shown.stop()
    },
  }
}
