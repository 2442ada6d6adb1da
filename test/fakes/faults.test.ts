import { describe, expect, it } from 'vitest'
import type { Answer, Asking } from './ask.ts'
import { ask } from './ask.ts'
import { generated, toBuffer } from './dataverse/content.ts'
import type { FaultStep } from './dataverse/faults.ts'
import type { StandIn } from './dataverse/server.ts'
import { standIns, worldOf } from './worlds.ts'

const start = standIns()
const SIZE = 300_000
const DATA = toBuffer(generated(SIZE, 5))
const FROM_1000: Asking = { headers: { Range: 'bytes=1000-' } }

async function begin(...steps: FaultStep[]): Promise<{ dv: StandIn; get: (asking?: Asking) => Promise<Answer> }> {
  const world = worldOf({ id: 1, label: 'a', content: { size: SIZE, seed: 5 } }, { id: 2, label: 'b', content: 'b' })
  const dv = await start({ world, faults: [{ file: 1, steps }] })
  return { dv, get: (asking) => ask(`${dv.url}/api/access/datafile/1`, asking) }
}

describe('a script', () => {
  it('cuts the connection after exactly so many bytes, once, and not for other files', async () => {
    const { dv, get } = await begin({ kind: 'cut', after: 1234 })
    expect((await ask(`${dv.url}/api/access/datafile/2`)).complete).toBe(true)
    const cut = await get()
    expect([cut.status, cut.complete, cut.body.length, cut.headers['content-length']]).toEqual([
      200,
      false,
      1234,
      String(SIZE),
    ])
    expect(cut.body.equals(DATA.subarray(0, 1234))).toBe(true)
    expect((await get()).body.equals(DATA)).toBe(true)
    expect(dv.records.file(1).bytes).toBe(SIZE + 1234)
  })

  it('ends a message early as if it were whole, without a length', async () => {
    const { get } = await begin({ kind: 'early-end', after: 100_000 })
    const early = await get()
    expect([early.complete, early.body.length, early.headers['content-length']]).toEqual([true, 100_000, undefined])
  })

  it('stalls until the client goes away', async () => {
    const { dv, get } = await begin({ kind: 'stall', after: 70_000 })
    expect((await get({ stopAfter: 70_000 })).body.length).toBe(70_000)
    await expect.poll(() => dv.requests.at(-1)?.ended).toBe(true)
  })

  it('ignores a range: 200 with everything', async () => {
    const { get } = await begin({ kind: 'ignore-range' })
    const answer = await get(FROM_1000)
    expect([answer.status, answer.headers['content-range'], answer.body.length]).toEqual([200, undefined, SIZE])
  })

  it('answers with another place than asked for', async () => {
    const { get } = await begin({ kind: 'wrong-range', shift: 7 })
    const answer = await get(FROM_1000)
    expect([answer.status, answer.headers['content-range']]).toEqual([206, `bytes 1007-${SIZE - 1}/${SIZE}`])
    expect(answer.body.equals(DATA.subarray(1007))).toBe(true)
  })

  it('flips one bit', async () => {
    const { get } = await begin({ kind: 'flip', at: 250_000 })
    const { body } = await get()
    const wrong = [...body.keys()].filter((index) => body[index] !== DATA[index])
    expect(wrong).toEqual([250_000])
  })

  it('sends more than there is, and changes the size in every header', async () => {
    const { get } = await begin({ kind: 'longer', by: 10 }, { kind: 'size-changed', by: 10 })
    const longer = await get(FROM_1000)
    expect([longer.headers['content-range'], longer.body.length]).toEqual([
      `bytes 1000-${SIZE + 9}/${SIZE}`,
      SIZE - 990,
    ])
    expect((await get(FROM_1000)).headers['content-range']).toBe(`bytes 1000-${SIZE + 9}/${SIZE + 10}`)
  })

  it('resets the connection before an answer', async () => {
    const { dv, get } = await begin({ kind: 'reset' })
    await expect(get()).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(dv.requests.at(-1)?.status).toBe(0)
    expect((await get()).complete).toBe(true)
  })

  it('puts other answers in front: limiter, proxy, firewall, login page', async () => {
    const { dv, get } = await begin(
      { kind: 'status', status: 429, body: 'json', retryAfter: '3' },
      { kind: 'status', status: 429, body: 'json' },
      { kind: 'status', status: 503, body: 'html' },
      { kind: 'status', status: 403, body: 'html' },
      { kind: 'status', status: 202, body: 'empty', headers: { 'x-amzn-waf-action': 'challenge' } },
      { kind: 'status', status: 200, body: 'html' },
      { kind: 'fine' },
    )
    const seen: unknown[] = []
    for (let turn = 0; turn < 7; turn += 1) {
      const { status, headers } = await get()
      seen.push([status, headers['content-type'], headers['retry-after']])
    }
    expect(seen).toEqual([
      [429, 'application/json', '3'],
      [429, 'application/json', undefined],
      [503, 'text/html', undefined],
      [403, 'text/html', undefined],
      [202, undefined, undefined],
      [200, 'text/html', undefined],
      [200, 'application/octet-stream; name="a";charset=UTF-8', undefined],
    ])
    expect(dv.records.file(1)).toMatchObject({ requests: 7, counted: 1 })
  })

  it('drips', async () => {
    const { get } = await begin({ kind: 'drip', bytes: 100_000, everyMs: 1 })
    expect((await get()).body.equals(DATA)).toBe(true)
  })

  it('takes the length away', async () => {
    const { get } = await begin({ kind: 'no-length' })
    const answer = await get()
    expect([answer.headers['content-length'], answer.body.length]).toEqual([undefined, SIZE])
  })

  it('repeats its last step when told to, meets any path, and can be taken back', async () => {
    const { dv } = await begin()
    dv.fault({
      path: '/versions/',
      steps: [{ kind: 'fine' }, { kind: 'status', status: 500, body: 'json' }],
      repeat: true,
    })
    const url = `${dv.url}/api/datasets/10/versions/1.0/files`
    const statuses = [await ask(url), await ask(url), await ask(url)].map(({ status }) => status)
    expect(statuses).toEqual([200, 500, 500])
    dv.clearFaults()
    expect((await ask(url)).status).toBe(200)
  })

  it('waits with a fault of the body when the answer is a redirect, and meets the storage host', async () => {
    const world = worldOf({ id: 1, label: 'a', content: { size: SIZE, seed: 5 }, store: 's3-redirect' })
    const dv = await start({ world, faults: [{ file: 1, steps: [{ kind: 'cut', after: 5000 }] }] })
    const { headers } = await ask(`${dv.url}/api/access/datafile/1`)
    expect((await ask(headers.location ?? '')).body.length).toBe(5000)
    expect((await ask(headers.location ?? '')).body.length).toBe(SIZE)
  })

  it('may choose by a function', async () => {
    const { dv } = await begin()
    dv.fault({ when: ({ range }) => range !== undefined, steps: [{ kind: 'status', status: 502, body: 'html' }] })
    expect((await ask(`${dv.url}/api/access/datafile/1`)).status).toBe(200)
    expect((await ask(`${dv.url}/api/access/datafile/1`, FROM_1000)).status).toBe(502)
  })
})

describe('settings', () => {
  it('break every body after n bytes, or after a time, until changed back', async () => {
    const { dv, get } = await begin()
    dv.set({ cutAfterBytes: 2000 })
    expect((await get()).body.length).toBe(2000)
    dv.set({ cutAfterBytes: 0, bytesPerSecond: 100_000, requestTimeoutMs: 200 })
    const late = await get()
    expect([late.complete, late.body.length < SIZE]).toEqual([false, true])
    dv.set({ bytesPerSecond: 0, requestTimeoutMs: 0, stripContentLength: true, latencyMs: 1 })
    const stripped = await get()
    expect([stripped.body.length, stripped.headers['content-length']]).toEqual([SIZE, undefined])
    expect(() => dv.set({ unknown: 1 })).toThrow()
  })
})

describe('chaos', () => {
  it('is the same for the same seed, whatever the order, and lets every file through in the end', async () => {
    const chaos = { seed: 3, probability: 0.7, kinds: ['500', 'cut', 'reset', '429'], perFile: 4 } as const
    const files = Array.from({ length: 12 }, (_, index) => ({
      id: index + 1,
      label: `f${index}`,
      content: 'some content',
    }))
    const story = async (ids: readonly number[]): Promise<Record<number, string[]>> => {
      const dv = await start({ world: worldOf(...files), chaos: { ...chaos, kinds: [...chaos.kinds] } })
      const seen: Record<number, string[]> = {}
      for (const id of ids) {
        const turns: string[] = (seen[id] = [])
        for (let turn = 0; turn < 8; turn += 1) {
          const answer = await ask(`${dv.url}/api/access/datafile/${id}`).catch(() => undefined)
          turns.push(answer ? `${answer.status} ${answer.body.length}` : 'reset')
        }
        expect(turns.filter((turn) => turn === '200 12').length).toBeGreaterThanOrEqual(4)
      }
      return seen
    }
    const ids = files.map(({ id }) => id)
    const forwards = await story(ids)
    expect(await story([...ids].reverse())).toEqual(forwards)
    expect(new Set(Object.values(forwards).flat()).size).toBeGreaterThan(3)
  })
})

it('records say what came and what went', async () => {
  const { dv, get } = await begin()
  await get({
    headers: {
      Range: 'bytes=0-9',
      'User-Agent': 'dataferry/0',
      'Accept-Encoding': 'identity',
      'X-Dataverse-key': 'bad',
    },
  })
  expect(dv.requests.at(-1)).toMatchObject({
    seq: 1,
    origin: 'dataverse',
    method: 'GET',
    url: '/api/access/datafile/1',
    file: 1,
    range: 'bytes=0-9',
    userAgent: 'dataferry/0',
    acceptEncoding: 'identity',
    hasToken: true,
    status: 401,
    counted: false,
  })
  expect((await ask(`${dv.url}/__control/requests`)).status).toBe(404)
})
