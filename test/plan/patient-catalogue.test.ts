import { expect, it, vi } from 'vitest'
import { DataferryError, type ErrorCode } from '../../src/errors.ts'
import type { Catalogue, ListedFile } from '../../src/model/listing.ts'
import type { Wait } from '../../src/model/notice.ts'
import { patientCatalogue, type Patience } from '../../src/plan/patient-catalogue.ts'

const { signal } = new AbortController()
const file = (id: number): ListedFile => ({ id, label: `f${id}`, directory: '', tabular: false })
const refused = (code: ErrorCode = 'SOURCE_UNREACHABLE'): DataferryError => new DataferryError(code, 'It is away.')

/** A catalogue whose calls fail with these errors before they succeed; a listing breaks off after its second file. */
function failing(...errors: DataferryError[]): Catalogue {
  const fail = (): void => {
    const error = errors.shift()
    if (error) throw error
  }
  return {
    version: () =>
      Promise.resolve()
        .then(fail)
        .then(() => ({ dataset: 'doi:x', version: '1.0' })),
    file: () => Promise.reject(new Error('not asked for')),
    tellsCase: () => Promise.resolve(false),
    async *files() {
      yield await Promise.resolve(file(1))
      yield file(2)
      fail()
      yield file(3)
    },
  }
}

function patience(isUp: boolean, waits: (Wait | undefined)[] = [], giveUpAfterMs = 60_000): Patience {
  return {
    what: 'Planning',
    isUp: () => Promise.resolve(isUp),
    firstMs: 1,
    maxMs: 4,
    giveUpAfterMs,
    onWait: (wait) => waits.push(wait),
  }
}

it('a server that is away is waited for, however often it has to be looked at, and people are told', async () => {
  const waits: (Wait | undefined)[] = []
  const catalogue = patientCatalogue(failing(...Array.from({ length: 30 }, () => refused())), patience(false, waits))
  expect(await catalogue.version('doi:x', ':latest', signal)).toMatchObject({ version: '1.0' })
  expect(waits).toHaveLength(31)
  expect(waits[0]).toMatchObject({ what: 'Planning', reason: 'It is away.' })
  expect(waits.at(-1)).toBeUndefined()
})

it('a listing that broke off goes on without a file twice', async () => {
  const catalogue = patientCatalogue(
    failing(refused(), refused('SOURCE_FAILED'), refused('SHORT_BODY')),
    patience(false),
  )
  const ids: number[] = []
  for await (const one of catalogue.files('doi:x', '1.0', signal)) if (!('mislisted' in one)) ids.push(one.id)
  expect(ids).toEqual([1, 2, 3])
})

it('a call that fails alone, while the server answers others, fails for good after a few tries', async () => {
  const catalogue = patientCatalogue(
    failing(...Array.from({ length: 30 }, () => refused('SOURCE_FAILED'))),
    patience(true),
  )
  await expect(catalogue.version('doi:x', ':latest', signal)).rejects.toMatchObject({ code: 'SOURCE_NOT_LISTED' })
})

it('a refusal is passed on at once', async () => {
  const catalogue = patientCatalogue(failing(refused('SOURCE_DENIED')), patience(false))
  await expect(catalogue.version('doi:x', ':latest', signal)).rejects.toMatchObject({ code: 'SOURCE_DENIED' })
})

it('waiting ends with the signal, and when it was told to give up', async () => {
  const stop = new AbortController()
  const forever = failing(...Array.from({ length: 1000 }, () => refused()))
  const waiting = patientCatalogue(forever, {
    ...patience(false),
    firstMs: 60_000,
    maxMs: 60_000,
    giveUpAfterMs: 120_000,
    onWait: () => stop.abort(new Error('parked')),
  })
  await expect(waiting.version('doi:x', ':latest', stop.signal)).rejects.toThrow('parked')
  const brief = patientCatalogue(forever, patience(false, [], 0))
  await expect(brief.version('doi:x', ':latest', signal)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

it('a token that is refused from the start is passed on; one that was accepted before is waited for, as long as there is a file for it', async () => {
  vi.useFakeTimers()
  try {
    const token = { place: '/home/jane/token', renew: vi.fn(() => 0) }
    const expired = refused('TOKEN_REJECTED')
    const atOnce = patientCatalogue(failing(expired), { ...patience(false), token })
    await expect(atOnce.version('doi:x', ':latest', signal)).rejects.toBe(expired)
    const waits: (Wait | undefined)[] = []
    const catalogue = patientCatalogue(failing(expired, expired), { ...patience(false, waits), token })
    await catalogue.tellsCase(signal)
    const asked = catalogue.version('doi:x', ':latest', signal)
    await vi.advanceTimersByTimeAsync(5_000)
    token.renew.mockReturnValueOnce(0).mockReturnValue(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await asked).toMatchObject({ version: '1.0' })
    expect(waits[0]).toHaveProperty('reason', expect.stringContaining('/home/jane/token'))
    expect(waits.at(-1)).toBeUndefined()
    const noFile = patientCatalogue(failing(expired), patience(false))
    await noFile.tellsCase(signal)
    await expect(noFile.version('doi:x', ':latest', signal)).rejects.toBe(expired)
  } finally {
    vi.useRealTimers()
  }
})
