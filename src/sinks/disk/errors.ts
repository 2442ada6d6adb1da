import { DataferryError, messageOf, systemCode, type ErrorCode } from '../../errors.ts'

/** System errors that say more than "it failed". Linux errno(3) names; `EFBIG` is a file size limit, not a full disk. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'SINK_FULL',
  EDQUOT: 'SINK_FULL',
  EACCES: 'SINK_DENIED',
  EPERM: 'SINK_DENIED',
  EROFS: 'SINK_DENIED',
  EFBIG: 'SINK_DENIED',
  ENAMETOOLONG: 'SINK_DENIED',
  ELOOP: 'SINK_DENIED',
  EXDEV: 'SINK_DENIED',
  ENOTDIR: 'SINK_EXISTS',
  EISDIR: 'SINK_EXISTS',
}

/**
 * Turns what a file system call threw into a `SINK_…` error; `doing` completes "Cannot …", e.g. `write a/b.csv`.
 * Everything that is not a system error (our own errors, the reason of a signal) comes back unchanged.
 */
export function sinkError(error: unknown, doing: string): unknown {
  if (!isSystemError(error)) return error
  const code = systemCode(error) ?? ''
  const why = code === 'EISDIR' ? 'a folder has that name' : messageOf(error)
  return new DataferryError(CODES[code] ?? 'SINK_FAILED', `Cannot ${doing}: ${why}.`, { cause: error })
}

/** Whether the operating system reported this error. */
export function isSystemError(error: unknown): error is Error {
  return !(error instanceof DataferryError) && /^E[A-Z0-9]+$/.test(systemCode(error) ?? '')
}

/** Runs file system calls whose errors become `SINK_…` codes; see {@link sinkError}. */
export async function translated<T>(doing: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw sinkError(error, doing)
  }
}

/** Waits for a call that may find nothing: undefined instead of an error with one of these system codes. */
export async function unless<T>(codes: readonly string[], call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (codes.includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** System codes for a missing name: the name itself, or because a file is in the place of one of its folders. */
export const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR']
/** System codes for a folder that cannot be removed or replaced because it is not empty. POSIX allows both. */
export const OCCUPIED: readonly string[] = ['ENOTEMPTY', 'EEXIST']
/** System codes where there are no links, or not from here to there, or not one more. Linux link(2). */
export const NO_LINKS: readonly string[] = ['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']
