/** Work that is repeated until it is stopped. */
export interface Repeated {
  /** No run begins any more. Resolves when the one under way, if any, has ended. May be repeated. */
  stop(): Promise<void>
}

/**
 * Runs `work` every `ms`, for the first time after `ms`, and never twice at once: a run that is due while another one is
 * under way is left out. Does not keep the process alive.
 * @param onError is told what a run failed with; the next one comes all the same
 */
export function every(ms: number, work: () => Promise<void> | void, onError: (error: unknown) => void): Repeated {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= runOnce(work)
      .catch(onError)
      .finally(() => (running = undefined))
  }, ms).unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await running
    },
  }
}

async function runOnce(work: () => Promise<void> | void): Promise<void> {
  await work()
}
