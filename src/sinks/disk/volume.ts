import { join } from 'node:path'
import { DataferryError, messageOf, systemCode, type ErrorCode } from '../../errors.ts'
import { isSystemError, sinkError } from './errors.ts'
import { RECORDS_FOLDER } from '../names.ts'

/** Errors that are certainly about space, or about this one name. Linux errno(3) names. */
const CERTAIN: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'ENAMETOOLONG', 'EISDIR']
const REFUSALS: readonly string[] = ['EACCES', 'EPERM', 'ELOOP']
const OPEN_FILES: readonly string[] = ['EMFILE', 'ENFILE']

/**
 * The destination as a whole. A failure at one path may be about that path, or about the whole: a disk that was
 * unmounted, became read-only or lost its connection. The error does not say which, so the volume is tested: if
 * `.dataferry/` can be written, the path is at fault.
 */
export class Volume {
  readonly root: string
  readonly #try: () => Promise<void>
  #trying: Promise<void> | undefined

  /**
   * @param root absolute
   * @param tryOut writes something below `.dataferry/` and removes it, or only looks if nothing was ever written
   */
  constructor(root: string, tryOut: () => Promise<void>) {
    this.root = root
    this.#try = tryOut
  }

  /** Runs file system calls whose errors become `SINK_…` codes; `doing` completes "Cannot …", e.g. `write a/b.csv`. */
  async run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw await this.explain(error, doing)
    }
  }

  /** The error for a failed call. Anything but a system error (our own errors, the reason of a signal) is returned unchanged. */
  async explain(error: unknown, doing: string): Promise<unknown> {
    if (!isSystemError(error) || CERTAIN.includes(systemCode(error) ?? '')) return sinkError(error, doing)
    if (this.#isRefusalOfOwn(error)) return this.unusable(error)
    try {
      await this.check()
    } catch (whole) {
      return whole
    }
    return sinkError(error, doing)
  }

  /** Rejects with `SINK_UNAVAILABLE` or `SINK_FULL` when nothing can be written here. Concurrent callers share one test. */
  async check(): Promise<void> {
    this.#trying ??= this.#try().finally(() => (this.#trying = undefined))
    try {
      await this.#trying
    } catch (error) {
      throw this.unusable(error)
    }
  }

  /** The error for a call that failed at the volume's own folders, and so concerns the whole volume. */
  unusable(error: unknown): unknown {
    if (!isSystemError(error)) return error
    const [code, message] = this.#wordsFor(error)
    const advice = code === 'SINK_EXISTS' ? 'Give a folder, or the name of a new one.' : undefined
    return new DataferryError(code, message, { cause: error, ...(advice !== undefined && { advice }) })
  }

  /** A refusal within `.dataferry/` is no item's fault, even if other files there can be written. */
  #isRefusalOfOwn(error: Error): boolean {
    const own = join(this.root, RECORDS_FOLDER)
    const paths = pathsOf(error)
    return REFUSALS.includes(systemCode(error) ?? '') && paths.length > 0 && paths.every((path) => path.startsWith(own))
  }

  #wordsFor(error: Error): [ErrorCode, string] {
    const { root } = this
    const code = systemCode(error) ?? ''
    switch (code) {
      case 'ENOSPC':
      case 'EDQUOT':
        return ['SINK_FULL', `No space is left in ${root} (${code}).`]
      case 'ENOTDIR':
      case 'EEXIST':
        return ['SINK_EXISTS', `${root} cannot be the destination, as it is not a folder.`]
      case 'EROFS':
        return ['SINK_UNAVAILABLE', `${root} is on a file system that is read-only.`]
      case 'ENOENT':
        return ['SINK_UNAVAILABLE', `${root} or its .dataferry folder is gone: is the disk mounted?`]
      case 'EACCES':
      case 'EPERM':
        return ['SINK_UNAVAILABLE', `This user has no permission for ${pathsOf(error)[0] ?? root}.`]
      case 'ELOOP':
        return ['SINK_UNAVAILABLE', `${pathsOf(error)[0] ?? root} is a link: remove it.`]
      default:
        return OPEN_FILES.includes(code)
          ? ['SINK_UNAVAILABLE', 'This process has no file handles left: raise its limit (ulimit -n).']
          : ['SINK_UNAVAILABLE', `${root} does not work at the moment: ${messageOf(error)}.`]
    }
  }
}

/** The path or paths of a failed call. */
function pathsOf(error: Error): string[] {
  const paths = ['path' in error && error.path, 'dest' in error && error.dest]
  return paths.filter((path) => typeof path === 'string')
}
