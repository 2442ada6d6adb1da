import type { NativeApi } from '../../dataverse/native-api.ts'
import { DataferryError } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import { listedItem } from '../../plan/file-item.ts'
import type { Wanted } from './wanted.ts'

/** A whole file as the server lists it, and the name that it has there. */
export interface ListedDownload {
  readonly item: Omit<Item, 'path'>
  /** Not yet safe as a path. */
  readonly name: string
}

/**
 * What the server promises about a whole file. Undefined when it lists none: files of old versions, and of servers that
 * do not say what a file belongs to, can be had without.
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
    if (error.remedy === 'fail' || error.code === 'SOURCE_UNEXPECTED') return undefined
    throw error
  }
}

/** A PID does not show whether it is that of a file, and the server would only say that there is no such file. */
async function refuseDataset(native: NativeApi, pid: string, signal: AbortSignal): Promise<void> {
  const version = await native.version(pid, ':latest', signal).catch(() => undefined)
  signal.throwIfAborted()
  if (!version) return
  const message = `${pid} names a dataset: --dataset-zip brings it as one ZIP, and dataferry run as single files.`
  throw new DataferryError('ARGUMENT_INVALID', message)
}
