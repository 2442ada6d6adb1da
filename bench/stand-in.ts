import { NativeApi } from '../src/dataverse/native-api.ts'
import { startDataverseProcess, type ProcessOptions } from '../test/fakes/dataverse/process.ts'
import type { SettingsInput } from '../test/fakes/dataverse/settings.ts'
import { WORLD_PID } from '../test/fakes/dataverse/worlds.ts'

/** A file of the stand-in's dataset, as every contender is told about it. */
export interface BenchFile {
  readonly id: number
  readonly size: number
  readonly md5: string
  readonly url: string
}

/** A stand-in in a process of its own; disposing ends it. */
export interface BenchServer extends AsyncDisposable {
  readonly url: string
  /** Changes settings of the stand-in, from the next request on. */
  set(changes: SettingsInput): Promise<void>
  /** Requests that it has had so far. */
  requests(): Promise<number>
  /** Files of its dataset `WORLD_PID`, in order of the listing. */
  files(signal: AbortSignal): Promise<readonly BenchFile[]>
}

export async function startServer(options: ProcessOptions): Promise<BenchServer> {
  const standIn = await startDataverseProcess({ ...options, keepRequests: 100 })
  return {
    url: standIn.url,
    set: (changes) => standIn.set(changes),
    requests: async () => (await standIn.totals()).requests,
    files: (signal) => listedFiles(standIn.url, signal),
    [Symbol.asyncDispose]: () => standIn.close(),
  }
}

async function listedFiles(baseUrl: string, signal: AbortSignal): Promise<BenchFile[]> {
  const api = new NativeApi({ baseUrl })
  try {
    const files: BenchFile[] = []
    for await (const file of api.files(WORLD_PID, '1.0', signal)) {
      if ('mislisted' in file) throw new Error(file.mislisted)
      const { id, size, checksum } = file
      if (size === undefined || checksum?.algorithm !== 'md5')
        throw new Error(`File ${id} is listed without size or MD5.`)
      files.push({ id, size, md5: checksum.hex, url: `${baseUrl}/api/access/datafile/${id}` })
    }
    return files
  } finally {
    await api.close()
  }
}
