import { afterEach, expect, it } from 'vitest'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import type { Item } from '../../src/model/item.ts'
import type { Receipt } from '../../src/model/receipt.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import type { Segments } from '../../src/transfer/segmented-reader.ts'
import { transfer } from '../../src/transfer/transfer.ts'
import { never } from '../contracts/sink-bytes.ts'
import { digest, generated } from '../fakes/dataverse/content.ts'
import type { FaultStep } from '../fakes/dataverse/faults.ts'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { AT_ONCE } from './scripted-source.ts'

const MIB = 1024 * 1024
const SIZE = 9 * MIB + 7
const LARGE = 80 * MIB + 7
const [STORED, STREAMED, LARGE_STORED, LARGE_STREAMED] = [10, 11, 12, 13]
/** Pieces of 1 MiB. */
const SMALL_PIECES = { ahead: 4 * MIB, enough: 4 * MIB }

let server: StandIn | undefined
afterEach(() => server?.close())

async function start(options: Omit<StandInOptions, 'world'> = {}): Promise<StandIn> {
  const world = new World()
  const content = { size: SIZE, seed: 1 }
  const files = [
    { id: STORED, label: 'stored.bin', content, store: 's3-redirect' as const },
    { id: STREAMED, label: 'streamed.bin', content },
    { id: LARGE_STORED, label: 'large.bin', content: { size: LARGE, seed: 2 }, store: 's3-redirect' as const },
    { id: LARGE_STREAMED, label: 'large-streamed.bin', content: { size: LARGE, seed: 2 } },
  ]
  world.dataset('doi:10.5072/FK2/ABCDEF', { files })
  return (server = await startDataverse({ world, ...options }))
}

async function bring(
  { url }: StandIn,
  file: number,
  segments: Segments,
  sizes: { readonly ahead?: number; readonly enough?: number } = SMALL_PIECES,
): Promise<Receipt> {
  await using folder = await temporaryFolder()
  await using api = new DataAccessApi({ baseUrl: url })
  const sink = diskSink(folder.path)
  const content = file >= LARGE_STORED ? generated(LARGE, 2) : generated(SIZE, 1)
  const checksum = { algorithm: 'md5', hex: await digest(content, 'MD5') } as const
  const item: Item = {
    n: 0,
    server: url,
    ref: { kind: 'file', file, format: 'original' },
    path: 'large.bin',
    expect: { size: content.size, checksum },
  }
  try {
    const run = { key: 'b1-0', signal: never, count: true, reconnect: AT_ONCE, segments, ...sizes }
    return await transfer(item, { open: api.open, sink }, run)
  } finally {
    await sink.close()
  }
}

it('a large file from a store comes by one link, which is counted, over several connections', async () => {
  const dataverse = await start()
  expect(await bring(dataverse, LARGE_STORED, 'auto', {})).toMatchObject({ verified: 'checksum', size: LARGE })
  const asked = dataverse.requests.filter(({ url }) => url.includes('/access/datafile/'))
  expect(asked).toHaveLength(1)
  const parts = dataverse.requests.filter(({ origin, range }) => origin === 'storage' && range !== undefined)
  expect(parts.length).toBeGreaterThan(2)
  expect(dataverse.records.file(LARGE_STORED).counted).toBe(1)
})

it('a large file from Dataverse itself comes over one connection, unless more are asked for', async () => {
  const dataverse = await start()
  await bring(dataverse, STREAMED, 'auto')
  expect(dataverse.records.file(STREAMED)).toMatchObject({ requests: 1, counted: 1 })
})

// Of the oldest and the newest. What a server has sent before a connection is closed must not be all of the file.
it.each(['5.9', '6.11'] as const)(
  'Dataverse %s itself sends a file in segments, and counts it once',
  async (profile) => {
    const dataverse = await start({ profile })
    expect(await bring(dataverse, LARGE_STREAMED, 4, {})).toMatchObject({ verified: 'checksum', size: LARGE })
    expect(dataverse.records.file(LARGE_STREAMED).counted).toBe(1)
  },
)

it('an expired link is asked for anew, uncounted', async () => {
  let now = Date.now()
  const dataverse = await start({ presignTtlMs: 60_000, clock: () => now })
  let asked = 0
  const isLate = (): false => {
    if ((asked += 1) === 2) now += 120_000
    return false
  }
  dataverse.fault({ origin: 'storage', when: isLate, steps: [] })
  expect(await bring(dataverse, STORED, 'auto')).toMatchObject({ verified: 'checksum' })
  expect(dataverse.requests.filter(({ status }) => status === 403).length).toBeGreaterThan(0)
  expect(dataverse.records.file(STORED).counted).toBe(1)
})

it.each<[string, FaultStep[]]>([
  [
    'cuts, ignored ranges and refusals',
    [
      { kind: 'cut', after: 5_000_000 },
      { kind: 'cut', after: 1 },
      { kind: 'ignore-range' },
      { kind: 'status', status: 502, body: 'html' },
      { kind: 'reset' },
      { kind: 'wrong-range', shift: 10 },
    ],
  ],
  ['an answer about another file', [{ kind: 'size-changed', by: 100 }]],
  ['a store that serves one connection', Array.from({ length: 30 }, () => ({ kind: 'status', status: 429 }))],
])('a file in segments survives %s', async (_, steps) => {
  const dataverse = await start()
  dataverse.fault({ origin: 'storage', steps: [{ kind: 'fine' }, ...steps] })
  expect(await bring(dataverse, STORED, 'auto')).toMatchObject({ verified: 'checksum', size: SIZE })
  expect(dataverse.records.file(STORED).counted).toBe(1)
})

// Over a connection of its own, past undici.
it.each([LARGE_STORED, LARGE_STREAMED])(
  'large file %i survives what breaks it off over one connection',
  async (file) => {
    const dataverse = await start()
    const steps: FaultStep[] = [
      { kind: 'cut', after: 3_000_000 },
      { kind: 'reset' },
      { kind: 'status', status: 502, body: 'html' },
      { kind: 'ignore-range' },
    ]
    dataverse.fault({ file, steps })
    expect(await bring(dataverse, file, 1, {})).toMatchObject({ verified: 'checksum', size: LARGE })
    expect(dataverse.records.file(file).counted).toBe(1)
  },
)
