import pMap from 'p-map'

/**
 * Works on every value, up to `concurrency` at a time. With backpressure: a value is taken from its source only when
 * there is room for it. After a failure, of the work or of the source, no further value is taken; a value that was taken is
 * always worked on. Resolves, or rejects with the first error, only when nothing runs any more and the source is closed
 * (`p-map` alone rejects while other work still runs).
 */
export async function eachConcurrently<T>(
  values: Iterable<T> | AsyncIterable<T>,
  concurrency: number,
  work: (value: T) => Promise<void>,
): Promise<void> {
  const errors: unknown[] = []
  const note = (error: unknown): void => void errors.push(error)
  async function* untilFailure(): AsyncGenerator<T> {
    try {
      for await (const value of values) {
        yield value
        if (errors.length > 0) return
      }
    } catch (error) {
      note(error)
    }
  }
  await pMap(untilFailure(), (value) => work(value).catch(note), { concurrency })
  if (errors.length > 0) throw errors[0]
}
