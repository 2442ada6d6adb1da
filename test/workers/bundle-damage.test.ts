import { afterEach, describe, expect, test } from 'vitest'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import type { FaultStep } from '../fakes/dataverse/faults.ts'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { World } from '../fakes/dataverse/world.ts'
import { wholeRun, zipRequests, type Ran } from './whole-run.ts'

const PID = 'doi:10.5072/FK2/DAMAGED'
const FILES = 60

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

async function start(options: Omit<StandInOptions, 'world'>, steps: FaultStep[], repeat = false): Promise<StandIn> {
  const world = new World()
  const files = Array.from({ length: FILES }, (_, i): FileSpec => ({
    id: 100 + i,
    label: `f${i}.bin`,
    content: { size: 900 + i * 31, seed: i + 1 },
  }))
  world.dataset(PID, { files })
  server = await startDataverse({ world, ...options })
  server.fault({ path: '/access/datafiles/', steps, repeat })
  return server
}

async function run(standIn: StandIn): Promise<Ran> {
  const entries = [{ target: { kind: 'dataset' as const, dataset: PID } }]
  const ran = await wholeRun({ server: standIn, entries, batch: { bundle: 'auto' } })
  // Whatever became of the archive: everything is there once and verified, and no attempt of a file was used.
  expect(ran.report).toMatchObject({ planned: FILES, done: FILES, failed: 0, missing: 0, complete: true })
  expect(ran.report.verified.checksum).toBe(FILES)
  expect(ran.retries).toEqual({ items: 0, bundles: 0 })
  return ran
}

function singles({ requests }: StandIn): number {
  return requests.filter(({ url }) => /\/access\/datafile\/\d/.test(url)).length
}

describe.each(['6.9', '6.11'] as const)('An archive from Dataverse %s', (profile) => {
  test('with damaged entries loses those alone: they come singly, and all others of it are kept', async () => {
    const standIn = await start({ profile }, [{ kind: 'flip', entries: [0, 7, 8, 30, FILES - 1] }])
    const { report } = await run(standIn)
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBe(5)
    expect(report.bundlesOff).toEqual([])
  })

  test('with one wrong bit anywhere loses no more than the entry that it is in', async () => {
    const standIn = await start({ profile }, [{ kind: 'flip', at: 20_000 }])
    await run(standIn)
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBe(1)
  })

  test.each<[string, FaultStep, number]>([
    ['ends between two entries as if it were whole', { kind: 'early-end', entries: 25 }, FILES - 25],
    ['ends before its first entry', { kind: 'early-end', entries: 0 }, FILES],
  ])('that %s brings what it has, and the rest comes singly', async (_, step, rest) => {
    const standIn = await start({ profile }, [step])
    await run(standIn)
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBe(rest)
  })

  test.each<[string, FaultStep]>([
    ['ends after the first 8 KiB as if it were whole', { kind: 'early-end', after: 8_192 }],
    ['breaks off in the middle of an entry', { kind: 'cut', after: 8_192 }],
  ])('that %s brings what was whole by then, and the rest comes singly', async (_, step) => {
    const standIn = await start({ profile }, [step])
    await run(standIn)
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBeGreaterThan(FILES / 2)
    expect(singles(standIn)).toBeLessThan(FILES)
  })

  test('that is as small as the server’s buffer and damaged brings its other entries all the same', async () => {
    const standIn = await start({ profile, zipLimit: 7_000 }, [{ kind: 'flip', entries: [2] }])
    await run(standIn)
    expect(singles(standIn)).toBe(1 + leftAlone(standIn))
  })
})

/** Files that would have been a bundle of one. */
function leftAlone({ requests }: StandIn): number {
  const bundled = requests
    .filter(({ url }) => url.includes('/access/datafiles/'))
    .flatMap(({ url }) => /datafiles\/([\d,]+)/.exec(url)?.[1]?.split(',') ?? [])
  return FILES - new Set(bundled).size
}

test.each<[string, FaultStep]>([
  ['are damaged', { kind: 'flip', entries: [3] }],
  ['end between entries', { kind: 'early-end', entries: 4 }],
  ['break off', { kind: 'cut', after: 9_000 }],
])(
  'a server whose archives %s again and again gets three requests for them, and the report says so',
  async (_, step) => {
    const standIn = await start({ zipLimit: 12_000 }, [step], true)
    const { report, notices } = await run(standIn)
    expect(report.bundlesOff).toEqual([standIn.url])
    expect(notices).toHaveLength(1)
    expect(zipRequests(standIn)).toBe(3)
  },
)
