import fc from 'fast-check'
import { expect, it } from 'vitest'
import { verifyDestination, type Finding } from '../../src/batch/verify-destination.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Receipt } from '../../src/model/receipt.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, never, store } from '../contracts/sink-bytes.ts'
import { rounds } from '../rounds.ts'
import { all, batchOf, done, failed, hashIn, itemAt, plannedBatch, recorded, unread } from './fixtures.ts'

const PATHS = ['a', 'a b', 'b/c', 'b/d', 'é']

/** What one line of a batch came to. Contents are told apart by a number. */
const ending = fc.oneof(
  fc.record({ state: fc.constant('done' as const), content: fc.nat(2), second: fc.nat(59) }),
  fc.record({ state: fc.constant('unread' as const), content: fc.nat(2), second: fc.nat(59) }),
  fc.record({ state: fc.constant('failed' as const) }),
  fc.record({ state: fc.constant('open' as const) }),
)
type Ending = typeof ending extends fc.Arbitrary<infer E> ? E : never

/** Each batch plans every path once, in an order of its own; each line has ended any number of times. */
const batches = fc.array(
  fc.record({
    paths: fc.shuffledSubarray(PATHS, { minLength: 1 }),
    endings: fc.array(fc.array(ending, { maxLength: 3 }), { minLength: PATHS.length, maxLength: PATHS.length }),
  }),
  { minLength: 1, maxLength: 4 },
)
/** What lies at each path in the end. */
const contents = fc.dictionary(fc.constantFrom(...PATHS, 'unknown'), fc.nat(2))

const content = (number: number): Uint8Array => bytesOf(10 + (number === 2 ? 1 : 0), number)

it('whatever batches overlap, every verdict is that of the newest receipt that knows the bytes', async () => {
  await fc.assert(
    fc.asyncProperty(batches, contents, fc.integer({ min: 1, max: 5 }), async (plans, there, concurrency) => {
      const sink = memorySink()
      const model = new Model()
      for (const [at, { paths, endings }] of plans.entries()) {
        const id = `b${at}`
        await plannedBatch(
          sink.records,
          paths.map((path) => itemAt(path)),
          batchOf(id, { createdAt: `2026-01-0${at + 1}T00:00:00.000Z` }),
        )
        for (const [n, path] of paths.entries()) {
          const outcomes = endings[n] ?? []
          await recorded(
            sink.records,
            outcomes.flatMap((one) => outcomeOf(one, n, path)),
            `w${n}`,
            id,
          )
          model.plan(path, n, id, outcomes)
        }
      }
      for (const [path, number] of Object.entries(there)) await store(sink, path, content(number))
      const found = await all(verifyDestination(sink, { hash: hashIn(sink), signal: never, concurrency }))
      const inOrder = (findings: readonly string[]): string[] => [...findings].sort()
      expect(inOrder(found.map(verdict))).toEqual(inOrder(model.verdicts(there)))
    }),
    rounds(150),
  )
})

function outcomeOf(one: Ending, n: number, path: string): Parameters<typeof recorded>[1] {
  if (one.state === 'open') return []
  if (one.state === 'failed') return [failed(n, 'SOURCE_DENIED', path)]
  return [receiptOf(one, n, path)]
}

function receiptOf(one: Extract<Ending, { second: number }>, n: number, path: string): Receipt {
  const finishedAt = `2026-02-01T00:00:${String(one.second).padStart(2, '0')}.000Z`
  const bytes = content(one.content)
  return one.state === 'done' ? done(n, path, bytes, { finishedAt }) : { ...unread(n, path, bytes.length), finishedAt }
}

function verdict(finding: Finding): string {
  const line = 'n' in finding ? ` ${finding.batch} ${finding.n}` : ''
  const why = 'why' in finding ? ` ${finding.why ?? ''}` : ''
  return `${finding.state} ${finding.path}${line}${why}`
}

/** All of it in memory, as plainly as can be. */
class Model {
  readonly #receipts: { path: string; batch: string; receipt: Receipt }[] = []
  readonly #unfetched: { path: string; text: string }[] = []

  plan(path: string, n: number, batch: string, outcomes: readonly Ending[]): void {
    const receipts = outcomes.flatMap((one) => ('second' in one ? [receiptOf(one, n, path)] : []))
    for (const receipt of receipts) this.#receipts.push({ path, batch, receipt })
    const why = outcomes.some((one) => one.state === 'failed') ? 'SOURCE_DENIED' : ''
    if (receipts.length === 0) this.#unfetched.push({ path, text: `unfetched ${path} ${batch} ${n} ${why}` })
  }

  verdicts(there: Readonly<Record<string, number>>): string[] {
    return [...new Set([...PATHS, ...Object.keys(there)])].flatMap((path) => {
      const own = this.#receipts.filter((one) => one.path === path)
      const known = own.some(({ receipt }) => receipt.checksum) ? own.filter(({ receipt }) => receipt.checksum) : own
      const [newest] = known
        .map((one, at) => ({ ...one, at }))
        .sort((a, b) => b.receipt.finishedAt.localeCompare(a.receipt.finishedAt) || b.at - a.at)
      const number = there[path]
      if (!newest) {
        const planned = this.#unfetched.find((one) => one.path === path)?.text
        return [...(number === undefined ? [] : [`extra ${path}`]), ...(planned === undefined ? [] : [planned])]
      }
      const { batch, receipt } = newest
      if (number === undefined) return [`missing ${path} ${batch} ${receipt.n}`]
      const bytes = content(number)
      const sum = receipt.checksum
      if (bytes.length !== receipt.size || (sum && sum.hex !== checksumOf(bytes, sum.algorithm).hex))
        return [`changed ${path} ${batch} ${receipt.n}`]
      return [`${sum ? 'ok' : 'size-only'} ${path}`]
    })
  }
}
