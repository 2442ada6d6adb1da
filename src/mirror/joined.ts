/** What two streams have of one id. */
export interface Joined<A, B> {
  readonly id: number
  readonly left: A | undefined
  readonly right: B | undefined
}

interface Identified {
  readonly id: number
}

/** Joins two streams in each of which ids ascend and stand once. */
export async function* joined<A extends Identified, B extends Identified>(
  left: AsyncIterable<A>,
  right: AsyncIterable<B>,
): AsyncGenerator<Joined<A, B>, void> {
  const [ones, others] = [left[Symbol.asyncIterator](), right[Symbol.asyncIterator]()]
  try {
    let [one, other] = [await next(ones), await next(others)]
    while (one || other) {
      const id = Math.min(one?.id ?? Infinity, other?.id ?? Infinity)
      const pair = { id, left: one?.id === id ? one : undefined, right: other?.id === id ? other : undefined }
      yield pair
      if (pair.left) one = await next(ones)
      if (pair.right) other = await next(others)
    }
  } finally {
    await Promise.all([ones.return?.(undefined), others.return?.(undefined)])
  }
}

/** The next value of a stream; undefined: it has ended. */
export async function next<T>(values: AsyncIterator<T>): Promise<T | undefined> {
  const result = await values.next()
  return result.done === true ? undefined : result.value
}
