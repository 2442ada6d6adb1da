import type { Download } from '../../dataverse/download.ts'
import type { NativeApi } from '../../dataverse/native-api.ts'
import { pause } from '../../async/pause.ts'
import { waitBeforeRetry } from '../../dataverse/retry.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import type { OpenBody, OpenSource } from '../../model/source.ts'
import { listedItem } from '../../plan/file-item.ts'
import { notTabular } from '../../plan/resolve.ts'
import type { Context } from '../command.ts'
import { formatDuration } from '../../model/format.ts'
import { callWaits } from '../sources.ts'
import type { GetRequest, Wanted } from './request.ts'

/** A whole file as the server lists it, and the name that it has there. */
export interface ListedDownload {
  readonly item: Omit<Item, 'path'>
  /** Not yet safe as a path. */
  readonly name: string
}

/**
 * What the server promises about a whole file. Undefined when it lists none: files of old versions, and of servers that
 * do not say what a file belongs to, are fetched without.
 */
export async function listing(
  native: NativeApi,
  { server, ref }: Pick<Wanted, 'server' | 'ref'>,
  signal: AbortSignal,
): Promise<ListedDownload | undefined> {
  if (ref.kind !== 'file') return undefined
  const { file, format } = ref
  try {
    const { in: version, ...found } = await native.file(file, signal)
    const { wanted, ...draft } = listedItem(found, version, {
      server,
      entry: { target: { kind: 'file', file } },
      line: 1,
      format,
    })
    return { item: { ...draft, n: 0 }, name: wanted.name }
  } catch (error) {
    if (!(error instanceof DataferryError)) throw error
    if (error.code === 'SOURCE_NOT_FOUND' && typeof file === 'string') await refuseDataset(native, file, signal)
    if (error.code === 'SOURCE_DEACCESSIONED') throw error
    if (error.remedy === 'fail' || error.code === 'SOURCE_UNEXPECTED') return undefined
    throw error
  }
}

/** Throws `SOURCE_REJECTED` for a file that has no other forms. What the server does not list, it may judge itself. */
export async function requireTable(native: NativeApi, file: number | string, signal: AbortSignal): Promise<void> {
  const found = await native.file(file, signal).catch((error: unknown) => {
    if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
    return undefined
  })
  if (found && !found.tabular) throw notTabular(found)
}

/** A PID does not show whether it is a file's, and the server would only say that there is no such file. */
async function refuseDataset(native: NativeApi, pid: string, signal: AbortSignal): Promise<void> {
  const version = await native.version(pid, ':latest', signal).catch(() => undefined)
  signal.throwIfAborted()
  if (!version) return
  const message = `${pid} names a dataset: --dataset-zip fetches it as one ZIP, and dataferry run as individual files.`
  throw new DataferryError('ARGUMENT_INVALID', message)
}

/** A whole file, from any byte, kept out of the server's statistics if that was asked for. */
export function wholeSource(open: OpenSource, { count }: Pick<GetRequest, 'count'>): OpenSource {
  return (ref, from, options) => open(ref, from, { ...options, count: options.count && count })
}

/** An answer that has arrived already. It was made for this one request, so it cannot be resumed from a later byte. */
export function answerSource(download: Download): OpenSource {
  let taken = false
  return () => {
    if (taken) {
      const message =
        'The connection broke, and this download cannot be resumed, as the server makes a new one for each request.'
      return Promise.reject(new DataferryError('SOURCE_CHANGED', message))
    }
    taken = true
    return Promise.resolve(bodyOf(download))
  }
}

function bodyOf(download: Download): OpenBody {
  const { size, contentType } = download
  return { body: download, from: 0, size, etag: undefined, contentType, encoding: undefined, counted: true }
}

/**
 * Runs `attempt` until it succeeds, or until trying again cannot help or was tried as often as `--retries` says.
 * @param attempt called with whether it is the first one, which counts as a download
 */
export async function tryAgain<T>(
  { config, out, signal }: Pick<Context, 'config' | 'out' | 'signal'>,
  attempt: (first: boolean) => Promise<T>,
): Promise<T> {
  const policy = { ...callWaits(config), retries: config.settings.retries - 1 }
  for (let failures = 1; ; failures++) {
    try {
      return await attempt(failures === 1)
    } catch (error) {
      signal.throwIfAborted()
      const wait = waitBeforeRetry(error, failures, policy)
      if (wait === undefined) throw error
      out.say(`${messageOf(error)} Trying again in ${formatDuration(wait)}.`)
      await pause(wait, signal)
    }
  }
}
