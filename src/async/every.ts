/** Work that is repeated until it is stopped. */
export interface Repeated {
  /** Starts no further run. Resolves when the current one, if any, has ended. May be repeated. */
  stop(): Promise<void>
}

/**
 * Runs `work` every `ms`, first after `ms`, and never twice at once: a run that is due while another one is
 * in progress is skipped. Does not keep the process alive.
 * @param onError is told what a run failed with; the next one happens anyway
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
