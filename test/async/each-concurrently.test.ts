import { expect, it } from 'vitest'
import { eachConcurrently } from '../../src/async/each-concurrently.ts'

it('works on every value, so many at a time and no more', async () => {
  let running = 0
  let most = 0
  const done: number[] = []
  await eachConcurrently(numbers(50), 4, async (n) => {
    most = Math.max(most, ++running)
    await turn()
    running--
    done.push(n)
  })
  expect(most).toBe(4)
  expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n))
})

it('takes a value only when there is room for it', async () => {
  let taken = 0
  let ended = 0
  async function* counted(): AsyncGenerator<number> {
    for await (const n of numbers(30)) {
      taken++
      yield n
    }
  }
  await eachConcurrently(counted(), 3, async () => {
    expect(taken - ended).toBeLessThanOrEqual(3)
    await turn()
    ended++
  })
  expect(ended).toBe(30)
})

it('after a failure takes no more, and rejects when what runs has ended and the source is closed', async () => {
  const events: string[] = []
  const failing = eachConcurrently(numbers(100, events), 2, async (n) => {
    if (n === 1) throw new Error('one is bad')
    await turn()
    await turn()
    events.push(`done ${n}`)
  })
  await expect(failing).rejects.toThrow('one is bad')
  expect(events).toContain('closed')
  expect(events).toContain('done 0')
  expect(events.length).toBeLessThan(6)
})

it('works on what a source gave before it failed, and rejects with that failure', async () => {
  const done: number[] = []
  async function* torn(): AsyncGenerator<number> {
    yield* numbers(3)
    throw new Error('torn')
  }
  const failing = eachConcurrently(torn(), 8, async (n) => {
    await turn()
    done.push(n)
  })
  await expect(failing).rejects.toThrow('torn')
  expect(done).toEqual([0, 1, 2])
})

async function* numbers(count: number, events: string[] = []): AsyncGenerator<number> {
  try {
    for (let n = 0; n < count; n++) {
      await Promise.resolve()
      yield n
    }
  } finally {
    events.push('closed')
  }
}

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
