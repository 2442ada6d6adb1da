import { setMaxListeners } from 'node:events'
import { DataferryError } from '../errors.ts'

/** Why a command stops after Ctrl-C; any other reason is its own name. */
export const CTRL_C = 'Ctrl-C'

/** Why a command stops whose output nobody reads. */
export const READER_GONE = 'nothing reads the output any more'

/** How a person stops a command. */
export interface Interruption {
  /** For the command: its reason is `INTERRUPTED` or `LIMIT_REACHED`, with why as its message. */
  readonly signal: AbortSignal
  /** For SIGINT and SIGTERM: the first one asks the command to park its work, the second one ends it at once. */
  readonly onSignal: (name: NodeJS.Signals) => void
  /** For a reader that went away: like a first signal, however often. */
  readonly stop: (why: string) => void
  /** For a schedule whose hours have ended: as a stop limit. */
  readonly park: (why: string) => void
}

/** Both ways to end are safe: what was fetched is kept. `exit` ends the process with the code. */
export function interruption(exit: (code: 130) => void): Interruption {
  const controller = new AbortController()
  // Each request listens to it, and there are more at a time than Node takes for a leak.
  setMaxListeners(0, controller.signal)
  const stop = (why: string): void => controller.abort(new DataferryError('INTERRUPTED', why))
  return {
    signal: controller.signal,
    stop,
    park: (why) => controller.abort(new DataferryError('LIMIT_REACHED', why)),
    onSignal: (name) => {
      if (controller.signal.aborted) exit(130)
      else stop(name === 'SIGINT' ? CTRL_C : name)
    },
  }
}
