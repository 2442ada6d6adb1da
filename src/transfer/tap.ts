/**
 * A tee without a buffer: a second reader sees the chunks that pass to a first one. A chunk is valid for both until they ask for the next,
 * which comes only when both have asked: neither runs ahead, and nothing is copied or kept.
 * @param watch reads the passing chunks; must not end before they do, unless it rejects
 * @returns the passing chunks, which reject as the watcher does, and the watcher's result
 */
export function tap<T>(
  chunks: AsyncIterable<Uint8Array>,
  watch: (seen: AsyncIterable<Uint8Array>) => Promise<T>,
): { readonly passing: AsyncGenerator<Uint8Array, void, undefined>; readonly result: Promise<T> } {
  const handoff = new Handoff()
  const result = watch({ [Symbol.asyncIterator]: () => handoff })
  // The reader of `passing` gets the same error first.
  result.catch(() => undefined)
  return { passing: pass(chunks, handoff, result), result }
}

async function* pass(
  chunks: AsyncIterable<Uint8Array>,
  handoff: Handoff,
  result: Promise<unknown>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of chunks) {
      const seen = handoff.offer(chunk)
      yield chunk
      if (!(await seen)) await result
    }
    handoff.end()
    await result
  } catch (error) {
    handoff.fail(error)
    throw error
  } finally {
    handoff.fail(new Error('The bytes were not read to their end.'))
  }
}

interface Asker {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** Hands over one chunk at a time. */
class Handoff implements AsyncIterator<Uint8Array, undefined> {
  #asker: Asker | undefined
  #offered: Uint8Array | undefined
  /** Resolves the offer: whether the watcher asks for another chunk. */
  #answer: ((more: boolean) => void) | undefined
  #ended: { readonly error?: unknown } | undefined
  #closed = false

  /** @returns whether the watcher asks for more, once it is done with the chunk */
  offer(chunk: Uint8Array): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.#answer = resolve
      const asker = this.#asker
      this.#asker = undefined
      if (asker) asker.resolve({ done: false, value: chunk })
      else this.#offered = chunk
    })
  }

  end(): void {
    this.#finish({})
  }

  fail(error: unknown): void {
    this.#finish({ error })
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#offered
    this.#offered = undefined
    if (chunk) return Promise.resolve({ done: false, value: chunk })
    this.#tell(true)
    return new Promise((resolve, reject) => {
      this.#asker = { resolve, reject }
      if (this.#ended) this.#finish(this.#ended)
    })
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#closed = true
    this.#offered = undefined
    this.#tell(false)
    return Promise.resolve({ done: true, value: undefined })
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#ended ??= end
    const asker = this.#asker
    this.#asker = undefined
    if (!asker) return
    if ('error' in this.#ended) asker.reject(this.#ended.error)
    else asker.resolve({ done: true, value: undefined })
  }

  #tell(more: boolean): void {
    const answer = this.#answer
    this.#answer = undefined
    answer?.(more)
  }
}
