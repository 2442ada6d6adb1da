import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { CheckedArchive, CheckOptions } from '../../src/archive/archive-report.ts'
import { checkArchive } from '../../src/archive/check-archive.ts'
import { checkStream } from '../../src/archive/check-stream.ts'
import { DEFAULT_LIMITS } from '../../src/archive/limits.ts'
import { bufferAccess, openFileAccess, streamOf } from '../../src/archive/random-access.ts'
import { buildZip, codeOf, inPieces, yazlZip, type RawEntry } from './zip-builder.ts'

const MANIFEST = 'raw/a.csv (text/csv) 3 bytes.\r\nb.bin (application/octet-stream) 4 bytes.\r\n'
const DATAVERSE: readonly RawEntry[] = [
  { name: 'raw/', data: '' },
  { name: 'raw/a.csv', data: 'a,b' },
  { name: 'b.bin', data: Buffer.from([0, 1, 2, 3]) },
  { name: 'MANIFEST.TXT', data: MANIFEST },
]

/** Checks an archive both ways, at hand and going past, which must tell the same. */
async function check(zip: Buffer, options: CheckOptions = {}): Promise<CheckedArchive> {
  const archive = await checkArchive(bufferAccess(zip), options)
  expect(await checkStream(inPieces(zip, [1, 500, 3000]), options)).toEqual(archive)
  return archive
}

describe('checkArchive', () => {
  it('accepts what Dataverse sends: deflated, data descriptors, folders, the manifest last', async () => {
    const archive = await check(buildZip(DATAVERSE))
    expect(archive.entries.map(({ name, size }) => [name, size])).toEqual([
      ['raw/a.csv', 3],
      ['b.bin', 4],
    ])
    expect(archive).toMatchObject({ bytes: 7, duplicates: 0, backslashes: 0 })
    expect(archive.manifest?.lines).toHaveLength(2)
  })

  it.each(['none', 'signed', 'unsigned', 'signed64', 'unsigned64'] as const)(
    'accepts stored and deflated entries with a data descriptor of the form %s',
    async (descriptor) => {
      const zip = buildZip([
        { name: 'a', data: 'stored', method: 0, descriptor },
        { name: 'b', data: 'deflated', descriptor },
        { name: 'empty', data: '', method: 0, descriptor },
        { name: 'empty too', data: '', descriptor },
      ])
      expect((await checkArchive(bufferAccess(zip))).entries.map(({ size }) => size)).toEqual([6, 8, 0, 0])
      // Going past, a stored entry that does not say its length in front cannot be told from what follows.
      expect(await codeOf(checkStream(inPieces(zip, [50])))).toBe(descriptor === 'none' ? 'none' : 'ZIP_DAMAGED')
    },
  )

  it('accepts what another writer makes, from streams, stored, and in ZIP64', async () => {
    for (const zip64 of [false, true]) {
      const zip = await yazlZip((file) => {
        file.addBuffer(Buffer.from('known'), 'known', { forceZip64Format: zip64 })
        file.addBuffer(Buffer.from('stored'), 'stored', { compress: false })
        file.addReadStream(Readable.from(['a ', 'stream']), 'stream', { forceZip64Format: zip64 })
        file.addReadStream(Readable.from(['stored ', 'stream']), 'stored stream', { compress: false })
        file.addEmptyDirectory('folder')
      }, zip64)
      const { entries, manifest } = await checkArchive(bufferAccess(zip))
      expect(entries.map(({ name, size }) => `${name} ${size}`)).toEqual([
        'known 5',
        'stored 6',
        'stream 8',
        'stored stream 13',
      ])
      expect(manifest).toBeUndefined()
    }
  })

  it('accepts more than 65,535 entries', async () => {
    const count = 66_000
    const files = Array.from({ length: count }, (_, n) => ({
      name: `f${n}`,
      data: `${n}`,
      method: 0,
      descriptor: 'none' as const,
    }))
    const zip = buildZip(files, { zip64: true })
    const archive = await check(zip)
    expect(archive.entries).toHaveLength(count)
    expect(archive.entries[65_999]).toMatchObject({ name: 'f65999', size: 5 })
  })

  it('accepts an archive without entries, and one with a comment', async () => {
    expect((await check(buildZip([]))).entries).toEqual([])
    expect((await check(buildZip(DATAVERSE, { comment: 'made by hand' }))).entries).toHaveLength(2)
  })

  it('reads names in UTF-8 where the archive says so, else in the old charset of ZIP', async () => {
    const zip = buildZip([
      { name: 'Übersicht/数据 (1).csv', data: '1' },
      { name: Buffer.from([0x81, 0x62]), flags: 0, data: '2' },
    ])
    expect((await check(zip)).entries.map(({ name }) => name)).toEqual(['Übersicht/数据 (1).csv', 'üb'])
  })

  it('computes the checksums asked for, in one reading', async () => {
    const { entries } = await check(buildZip(DATAVERSE), { algorithms: ['md5', 'sha256'] })
    expect(entries[0]?.checksums).toEqual([
      { algorithm: 'md5', hex: createHash('md5').update('a,b').digest('hex') },
      { algorithm: 'sha256', hex: createHash('sha256').update('a,b').digest('hex') },
    ])
  })

  it('counts repeated names and backslashes', async () => {
    const zip = buildZip([{ name: 'x' }, { name: 'x' }, { name: 'x' }, { name: 'folder\\y' }])
    expect(await check(zip)).toMatchObject({ duplicates: 2, backslashes: 1 })
  })

  it('takes the last manifest for the server’s when the dataset has a file of that name', async () => {
    const text = 'MANIFEST.TXT (text/plain) 3 bytes.\r\n'
    const zip = buildZip([
      { name: 'MANIFEST.TXT', data: 'own' },
      { name: '0MANIFEST.TXT', data: text },
    ])
    const archive = await check(zip)
    expect(archive.entries.map(({ name }) => name)).toEqual(['MANIFEST.TXT'])
    expect(archive.manifest?.lines).toEqual([{ kind: 'included', name: 'MANIFEST.TXT', mime: 'text/plain', bytes: 3 }])
  })

  it.each([
    ['free text', 'MANIFEST.TXT', 'read me'],
    ['the manifest of another download', 'MANIFEST.TXT', 'other.csv (text/csv) 5 bytes.\r\n'],
    ['a name that the server would not have chosen', '0MANIFEST.TXT', MANIFEST],
  ])('takes a last entry for a file of the dataset when it is %s', async (_, name, data) => {
    const archive = await check(
      buildZip([
        { name: 'raw/a.csv', data: 'a,b' },
        { name, data },
      ]),
    )
    expect(archive.manifest).toBeUndefined()
    expect(archive.entries).toHaveLength(2)
  })

  it('takes a manifest beyond the limit for a file of the dataset', async () => {
    const archive = await check(buildZip(DATAVERSE), { limits: { ...DEFAULT_LIMITS, manifestBytes: 10 } })
    expect(archive.manifest).toBeUndefined()
    expect(archive.entries).toHaveLength(3)
  })

  it('reads a file on disk, and stops when asked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'archive-'))
    try {
      await writeFile(join(folder, 'a.zip'), buildZip(DATAVERSE))
      await using file = await openFileAccess(join(folder, 'a.zip'))
      expect((await checkArchive(file)).entries).toHaveLength(2)
      const stop = AbortSignal.abort(new Error('enough'))
      await expect(checkArchive(file, { signal: stop })).rejects.toThrow('enough')
      await expect(checkStream(streamOf(file), { signal: stop })).rejects.toThrow('enough')
      expect(await codeOf(openFileAccess(join(folder, 'b.zip')))).toBe('SINK_FAILED')
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('passes on what the source fails with', async () => {
    const zip = buildZip(DATAVERSE)
    for (let good = 0; good < 3; good += 1) {
      let reads = 0
      const source = {
        size: zip.length,
        read: (from: number, to: number) =>
          reads++ < good
            ? Promise.resolve(zip.subarray(from, to))
            : Promise.reject(new DOMException('stop', 'AbortError')),
      }
      await expect(checkArchive(source)).rejects.toMatchObject({ name: 'AbortError' })
      reads = 0
      await expect(checkStream(streamOf(source, 0, zip.length, 100))).rejects.toMatchObject({ name: 'AbortError' })
    }
  })
})
