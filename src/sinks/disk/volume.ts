import { join } from 'node:path'
import { DataferryError, messageOf, systemCode, type ErrorCode } from '../../errors.ts'
import { isSystemError, sinkError } from './errors.ts'
import { RECORDS_FOLDER } from '../names.ts'

/** Errors that say themselves what they are about: space, or this one name. Linux errno(3) names. */
const CERTAIN: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'ENAMETOOLONG', 'EISDIR']
const REFUSALS: readonly string[] = ['EACCES', 'EPERM', 'ELOOP']
const OPEN_FILES: readonly string[] = ['EMFILE', 'ENFILE']

/**
 * The destination as a whole. What fails at one path may be the fault of that path, or of the whole: a disk that was
 * unmounted, became read-only or lost its connection. The error does not say which, so the volume is tried: where
 * `.dataferry/` can be written, the fault is that of the path.
 */
export class Volume {
  readonly root: string
  readonly #try: () => Promise<void>
  #trying: Promise<void> | undefined

  /**
   * @param root absolute
   * @param tryOut writes something below `.dataferry/` and removes it, or only looks where nothing was ever written
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

  /** The error that a failed call becomes. What is no system error (our own errors, the reason of a signal) comes back unchanged. */
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

  /** Rejects with `SINK_UNAVAILABLE` or `SINK_FULL` when nothing can be written here. Callers share a look that is under way. */
  async check(): Promise<void> {
    this.#trying ??= this.#try().finally(() => (this.#trying = undefined))
    try {
      await this.#trying
    } catch (error) {
      throw this.unusable(error)
    }
  }

  /** The error for a call that failed at the volume's own folders, and so is about all of it. */
  unusable(error: unknown): unknown {
    if (!isSystemError(error)) return error
    const [code, message] = this.#wordsFor(error)
    return new DataferryError(code, message, { cause: error })
  }

  /** No item is to blame for what is refused within `.dataferry/`, though other files there may be written. */
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
        return ['SINK_EXISTS', `${root} cannot be the destination, as there is something that is not a folder.`]
      case 'EROFS':
        return ['SINK_UNAVAILABLE', `${root} is on a file system that is read-only.`]
      case 'ENOENT':
        return ['SINK_UNAVAILABLE', `${root} is gone, or its .dataferry folder is: is the disk mounted?`]
      case 'EACCES':
      case 'EPERM':
        return ['SINK_UNAVAILABLE', `This user may not use ${pathsOf(error)[0] ?? root}.`]
      case 'ELOOP':
        return ['SINK_UNAVAILABLE', `A link is in the place of ${pathsOf(error)[0] ?? root}: remove it.`]
      default:
        return OPEN_FILES.includes(code)
          ? ['SINK_UNAVAILABLE', 'This process has no file handles left: raise its limit (ulimit -n).']
          : ['SINK_UNAVAILABLE', `${root} does not work at present: ${messageOf(error)}.`]
    }
  }
}

/** What a failed call was about: a path, or two of them. */
function pathsOf(error: Error): string[] {
  const paths = ['path' in error && error.path, 'dest' in error && error.dest]
  return paths.filter((path) => typeof path === 'string')
}
