import { pMapIterable } from 'p-map'

export interface MapOptions {
  /** Values worked on at the same time. */
  readonly concurrency: number
  /** Values taken from the source that have not been passed on yet, so that one that takes long does not hold up the others. */
  readonly ahead: number
}

/**
 * Works on values at the same time and yields the results in their order. When it ends, early or not, nothing runs any more
 * (`p-map` alone leaves while other work still runs).
 */
export async function* mapInOrder<T, R>(
  values: Iterable<T> | AsyncIterable<T>,
  { concurrency, ahead }: MapOptions,
  work: (value: T) => Promise<R>,
): AsyncGenerator<R> {
  const running = new Set<Promise<R>>()
  const tracked = async (value: T): Promise<{ readonly result: R }> => {
    const one = work(value)
    running.add(one)
    try {
      return { result: await one }
    } finally {
      running.delete(one)
    }
  }
  try {
    for await (const { result } of pMapIterable(values, tracked, { concurrency, backpressure: ahead })) yield result
  } finally {
    await Promise.allSettled(running)
  }
}
