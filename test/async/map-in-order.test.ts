import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { mapInOrder } from '../../src/async/map-in-order.ts'

async function* numbers(count: number, onTake: (n: number) => void = () => undefined): AsyncGenerator<number> {
  for (let n = 0; n < count; n++) {
    await turn()
    onTake(n)
    yield n
  }
}

it('yields all results in order, and works on so many at a time and no more', async () => {
  let running = 0
  let most = 0
  const results: number[] = []
  const work = async (n: number): Promise<number> => {
    most = Math.max(most, ++running)
    for (let i = 0; i < 10 - (n % 5); i++) await turn()
    running--
    return n
  }
  for await (const n of mapInOrder(numbers(50), { concurrency: 4, ahead: 8 }, work)) results.push(n)
  expect(results).toEqual(Array.from({ length: 50 }, (_, n) => n))
  expect(most).toBe(4)
})

it('goes on beside one that takes long, as far ahead as it may', async () => {
  const ended: number[] = []
  let taken = 0
  let release = (): void => undefined
  const long = new Promise<void>((resolve) => (release = resolve))
  const work = async (n: number): Promise<number> => {
    if (n === 0) await long
    ended.push(n)
    return n
  }
  const results = mapInOrder(
    numbers(100, () => taken++),
    { concurrency: 2, ahead: 10 },
    work,
  )
  const first = results.next()
  await expect.poll(() => ended.length).toBe(9)
  for (let i = 0; i < 20; i++) await turn()
  expect(taken).toBeLessThanOrEqual(11)
  release()
  expect((await first).value).toBe(0)
  await results.return(undefined)
})

it.each(['the work fails', 'nobody reads on'])('when %s, it ends only when nothing runs any more', async (how) => {
  let running = 0
  const work = async (n: number): Promise<number> => {
    running++
    for (let i = 0; i < 10; i++) await turn()
    running--
    if (how === 'the work fails' && n === 3) throw new Error('three is bad')
    return n
  }
  const reading = (async () => {
    for await (const n of mapInOrder(numbers(100), { concurrency: 4, ahead: 20 }, work)) {
      if (how === 'nobody reads on' && n === 3) return n
    }
    return undefined
  })()
  if (how === 'the work fails') await expect(reading).rejects.toThrow('three is bad')
  else expect(await reading).toBe(3)
  expect(running).toBe(0)
})
