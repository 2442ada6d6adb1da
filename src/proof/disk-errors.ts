import { DataferryError, messageOf, systemCode, type ErrorCode } from '../errors.ts'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'SINK_FULL',
  EDQUOT: 'SINK_FULL',
  EACCES: 'SINK_DENIED',
  EPERM: 'SINK_DENIED',
  EROFS: 'SINK_DENIED',
  ENAMETOOLONG: 'SINK_DENIED',
  ENOTEMPTY: 'SINK_EXISTS',
  EEXIST: 'SINK_EXISTS',
  ENOTDIR: 'SINK_EXISTS',
}

/** An error of the system as one of the sink; any other one as it is. */
export function sinkError(error: unknown, doing: string): unknown {
  const code = systemCode(error)
  if (code === undefined || error instanceof DataferryError) return error
  return new DataferryError(CODES[code] ?? 'SINK_FAILED', `Cannot ${doing}: ${messageOf(error)}.`, { cause: error })
}

/** Does something on a disk. Rejects with `SINK_…` codes, and what else the work rejects with. */
export async function translated<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw sinkError(error, doing)
  }
}
