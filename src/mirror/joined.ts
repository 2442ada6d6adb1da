/** What two streams have of one id. */
export interface Joined<K, A, B> {
  readonly id: K
  readonly left: A | undefined
  readonly right: B | undefined
}

interface Identified<K> {
  readonly id: K
}

/** Joins two streams in each of which ids ascend and stand once. */
export async function* joined<K extends number | string, A extends Identified<K>, B extends Identified<K>>(
  left: AsyncIterable<A & Identified<K>>,
  right: AsyncIterable<B & Identified<K>>,
): AsyncGenerator<Joined<K, A, B>, void> {
  const [ones, others] = [left[Symbol.asyncIterator](), right[Symbol.asyncIterator]()]
  try {
    let [one, other] = [await next(ones), await next(others)]
    for (;;) {
      const id = one && other ? (one.id < other.id ? one.id : other.id) : (one?.id ?? other?.id)
      if (id === undefined) return
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
