import { pause, waitBeforeRetry } from '../../dataverse/retry.ts'
import { messageOf } from '../../errors.ts'
import type { Context } from '../command.ts'
import { formatDuration } from '../terminal/format.ts'

/**
 * Runs `attempt` until it succeeds, or until trying again cannot help or was tried as often as `--retries` says.
 * @param attempt told whether it is the first one, which counts as a download
 */
export async function tryAgain<T>(
  { config, out, signal }: Pick<Context, 'config' | 'out' | 'signal'>,
  attempt: (first: boolean) => Promise<T>,
): Promise<T> {
  const { retries, throttleFirstMs } = config.settings
  const policy = { retries: retries - 1, throttleMs: throttleFirstMs }
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
