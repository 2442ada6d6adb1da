/** Waits for `work`, but not beyond the signal: then it rejects with the signal's reason, whatever becomes of the work. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = new AbortController()
  const aborted = new Promise<never>((_, reject) => {
    const give = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', give, { once: true, signal: done.signal })
    if (signal.aborted) give()
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    done.abort()
  }
}
