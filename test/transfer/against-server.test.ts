import { describe, expect, it } from 'vitest'
import { DataAccessApi } from '../../src/dataverse/data-access-api.ts'
import type { Item } from '../../src/model/item.ts'
import type { Receipt } from '../../src/model/receipt.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { transfer } from '../../src/transfer/transfer.ts'
import { checksumOf } from '../contracts/hash.ts'
import { contentOf, never, bytesOf } from '../contracts/sink-bytes.ts'
import { PROFILES } from '../dataverse/stand-in.ts'
import type { FaultStep } from '../fakes/dataverse/faults.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { World } from '../fakes/dataverse/world.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { AT_ONCE, itemFor } from './scripted-source.ts'

const BYTES = bytesOf(3_000_000)
const ORIGINAL = 'a,b\n1,x\n2,y\n'
const ROWS = '1\t"x"\n2\t"y"\n'
const TABLE = { original: ORIGINAL, header: ['a', 'b'], tab: ROWS, originalName: 'table.csv', legacyChecksum: true }
const FILES: readonly FileSpec[] = [
  { id: 10, label: 'streamed.bin', content: BYTES },
  { id: 11, label: 'stored.bin', content: BYTES, store: 's3-redirect' },
  { id: 12, label: 'table.tab', tabular: TABLE, contentType: 'text/tab-separated-values' },
]

function fileItem(id: number, bytes: Uint8Array): Item {
  return itemFor(bytes, { ref: { kind: 'file', file: id, format: 'original' } })
}

async function withServer(
  options: { profile?: (typeof PROFILES)[number]; steps?: readonly FaultStep[]; slowMs?: number },
  work: (server: StandIn, sink: Sink, bring: (item: Item) => Promise<Receipt>) => Promise<void>,
): Promise<void> {
  const world = new World()
  world.dataset('doi:10.5072/FK2/ABCDEF', { files: FILES })
  const { profile = '6.11', steps = [], slowMs = 60_000 } = options
  const server = await startDataverse({ world, profile })
  for (const file of [10, 11]) server.fault({ file, steps: [...steps] })
  await using folder = await temporaryFolder()
  await using api = new DataAccessApi({ baseUrl: server.url, timeouts: { slowMs } })
  const sink = diskSink(folder.path)
  const endpoints = { open: api.open.bind(api), sink }
  const run = { key: 'b1-0', signal: never, count: true, reconnect: AT_ONCE }
  try {
    await work(server, sink, (item) => transfer(item, endpoints, run))
  } finally {
    await sink.close()
    await server.close()
  }
}

describe.each(PROFILES)('a transfer from Dataverse %s to disk', (profile) => {
  it.each([10, 11])('survives cuts, ignored ranges and firewalls, and file %i is counted once', async (file) => {
    const steps: FaultStep[] = [
      { kind: 'reset' },
      { kind: 'cut', after: 1_000_000 },
      { kind: 'ignore-range' },
      { kind: 'cut', after: 700_000 },
      { kind: 'status', status: 502, body: 'html' },
      { kind: 'cut', after: 1 },
    ]
    await withServer({ profile, steps }, async (server, sink, bring) => {
      const receipt = await bring(fileItem(file, BYTES))
      expect(receipt).toMatchObject({ verified: 'checksum', size: BYTES.length })
      expect((await contentOf(sink, receipt.path)).equals(BYTES)).toBe(true)
      expect(server.records.file(file).counted).toBe(1)
    })
  })

  it.each([10, 11])(
    'leaves a connection that brings next to nothing, and goes on at the byte: file %i',
    async (file) => {
      // Less than 1 KiB a second, in steps that are no silence.
      const slow: FaultStep = { kind: 'drip', bytes: 3, everyMs: 10 }
      await withServer(
        { profile, steps: [{ kind: 'cut', after: 1_000_000 }, slow, slow], slowMs: 100 },
        async (...given) => {
          const [server, sink, bring] = given
          const receipt = await bring(fileItem(file, BYTES))
          expect(receipt).toMatchObject({ verified: 'checksum', size: BYTES.length })
          expect((await contentOf(sink, receipt.path)).equals(BYTES)).toBe(true)
          const begun = server.requests.flatMap(({ range }) => Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? []))
          expect(begun.filter((from) => from > 1_000_000).length).toBeGreaterThanOrEqual(1)
          expect(server.records.file(file).counted).toBe(1)
        },
      )
    },
  )

  it('waits for a stream that could only begin again, however slow it is', async () => {
    await withServer({ profile, slowMs: 50 }, async (server, sink, bring) => {
      server.fault({ file: 12, steps: [{ kind: 'drip', bytes: 1, everyMs: 20 }] })
      const ref = { kind: 'file', file: 12, format: 'original', tabular: true } as const
      const receipt = await bring(itemFor(Buffer.from(ORIGINAL), { ref, checksum: undefined }))
      expect(String(await contentOf(sink, receipt.path))).toBe(ORIGINAL)
      expect(server.requests).toHaveLength(1)
    })
  })

  it('accepts the checksum of an old installation', async () => {
    await withServer({ profile }, async (_, sink, bring) => {
      const ref = { kind: 'file', file: 12, format: 'original', tabular: true } as const
      const item = itemFor(Buffer.from(ORIGINAL), { ref, checksum: checksumOf(Buffer.from(ROWS)) })
      const receipt = await bring(item)
      expect(receipt).toMatchObject({ verified: 'size' })
      expect(receipt.note).toContain('header line')
      expect(String(await contentOf(sink, receipt.path))).toBe(ORIGINAL)
    })
  })
})

describe('a download', () => {
  const FILE = { streamed: 10, stored: 11 }

  it.each(Object.entries(FILE))('that goes on after a crash is counted once: %s', async (_, file) => {
    await withServer({ steps: [{ kind: 'cut', after: 2_000_000 }] }, async (server, _sink, bring) => {
      server.fault({ file, steps: Array.from({ length: 4 }, () => ({ kind: 'reset' })) })
      await expect(bring(fileItem(file, BYTES))).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
      server.clearFaults()
      const receipt = await bring(fileItem(file, BYTES))
      expect(receipt).toMatchObject({ verified: 'checksum' })
      expect(receipt.resumedFrom).toBeGreaterThan(0)
      expect(server.records.file(file).counted).toBe(1)
    })
  })

  it('goes on at its byte when the storage of the server was away for a moment', async () => {
    await withServer({ steps: [{ kind: 'cut', after: 2_000_000 }] }, async (server, _sink, bring) => {
      const lost = { kind: 'no-object' } as const
      server.fault({ file: 10, steps: [lost, lost, { kind: 'status', status: 404, body: 'html' }] })
      expect(await bring(fileItem(10, BYTES))).toMatchObject({ verified: 'checksum', resumedFrom: 0 })
      expect(server.requests.map(({ status }) => status)).toEqual([200, 404, 404, 404, 206])
      expect(server.records.file(10).counted).toBe(1)
    })
  })
})

describe('a Content-Encoding that nobody asked for', () => {
  const gzip = (compress: boolean): FaultStep[] => Array.from({ length: 9 }, () => ({ kind: 'gzip', compress }))

  it('on plain bytes changes nothing: their checksum is the published one', async () => {
    await withServer({ steps: gzip(false) }, async (server, sink, bring) => {
      const receipt = await bring(fileItem(10, BYTES))
      expect(receipt).toMatchObject({ verified: 'checksum', size: BYTES.length })
      expect((await contentOf(sink, receipt.path)).equals(BYTES)).toBe(true)
      expect(server.requests).toHaveLength(1)
    })
  })

  it.each(['checksum', 'size'] as const)('on what a proxy compressed is undone, as the %s proves', async (verified) => {
    await withServer({ steps: gzip(true) }, async (server, sink, bring) => {
      const item = fileItem(10, BYTES)
      const promised = verified === 'checksum' ? item.expect : { size: BYTES.length }
      const receipt = await bring({ ...item, expect: promised })
      expect(receipt).toMatchObject({ verified, size: BYTES.length, note: 'it arrived compressed' })
      expect((await contentOf(sink, receipt.path)).equals(BYTES)).toBe(true)
      expect(server.records.file(10).counted).toBeLessThanOrEqual(1)
    })
  })

  it.each([true, false])('on bytes that are wrong either way is refused (compressed: %s)', async (compress) => {
    await withServer({ steps: gzip(compress) }, async (_, sink, bring) => {
      const wrong = { ...fileItem(10, BYTES), expect: { checksum: checksumOf(Buffer.from('other')) } }
      await expect(bring(wrong)).rejects.toMatchObject({
        code: 'CHECKSUM_MISMATCH',
        message: expect.stringContaining('Content-Encoding') as string,
      })
      expect(await sink.stat('a/data.bin', 'b1-0', never)).toBeUndefined()
    })
  })

  it('is refused where nothing is published that could tell', async () => {
    await withServer({ steps: gzip(true) }, async (_server, _sink, bring) => {
      const unknown = { ...fileItem(10, BYTES), expect: {} }
      await expect(bring(unknown)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    })
  })
})

describe('a transfer from a server that is wrong', () => {
  it.each<[string, FaultStep[], string]>([
    ['by a bit', [{ kind: 'flip' }], 'CHECKSUM_MISMATCH'],
    [
      'about the size, between two requests',
      [
        { kind: 'cut', after: 9 },
        { kind: 'size-changed', by: 5 },
      ],
      'SOURCE_CHANGED',
    ],
  ])('%s shows nothing, and the next one brings the right bytes', async (_, steps, code) => {
    await withServer({ steps }, async (server, sink, bring) => {
      await expect(bring(fileItem(10, BYTES))).rejects.toMatchObject({ code })
      expect(await sink.stat('a/data.bin', 'b1-0', never)).toBeUndefined()
      server.clearFaults()
      if (code === 'CHECKSUM_MISMATCH') {
        expect(await bring(fileItem(10, BYTES))).toMatchObject({ resumedFrom: 0, verified: 'checksum' })
      }
    })
  })
})
