import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createWriteStream } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBag, storedBag } from '../../src/proof/bagit/bag-source.ts'
import { checkBag, type BagFinding } from '../../src/proof/bagit/check-bag.ts'
import { inMemory, type Serialization } from '../../src/proof/pack/pack-entry.ts'
import { isWritten } from '../../src/proof/pack/is-written.ts'
import { writePack } from '../../src/proof/pack/write-pack.ts'
import { stageOptions } from '../../src/proof/put-file.ts'
import { wholeFile } from '../../src/proof/tree.ts'
import { createHash } from '../../src/transfer/hash.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { bagOf, packTarget } from './held.ts'

const CONTENTS = { 'raw/a.csv': 'a,b\n', 'Grüße 100%.txt': 'x'.repeat(20 << 20), empty: '' }
/** Names that a manifest has to write otherwise, or that some systems take for one another. */
const HARD_NAMES = { 'a\r\nb': '1', 'c%0Ad 100%': '2', 'e\u0301': '3', '\u00e9': '4', 'x.csv': '5', 'X.csv': '6' }
const signal = new AbortController().signal

await describeWithOneS3('Bags', (kind) => {
  let s3: S3Server
  let sink: Sink
  let url: string
  const options = () => ({ s3: { endpoint: s3.endpoint, forcePathStyle: true } })
  beforeAll(async () => {
    s3 = await kind.start()
    url = `s3://${await s3.bucket()}/bags`
    sink = await openSink(url, options())
  })
  afterAll(async () => {
    await sink.close()
    await s3.stop()
  })

  const target = (serialization: Serialization) => packTarget(sink, { serialization })

  test('that are folders are whole when their bagit.txt is there, and are checked where they lie', async () => {
    expect(await isWritten('bag', target('folder'))).toBe(false)
    await writePack('bag', bagOf(CONTENTS), target('folder'))
    expect(await isWritten('bag', target('folder'))).toBe(true)
    const findings: BagFinding[] = []
    await using bag = storedBag(await openSink(`${url}/bag`, options()), signal)
    const { files } = await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
    expect(findings).toEqual([])
    expect(files).toBeGreaterThan(3)
  })

  test('hold names of every kind as they are', async () => {
    await writePack('names', bagOf(HARD_NAMES), target('folder'))
    await using bag = storedBag(await openSink(`${url}/names`, options()), signal)
    const findings: BagFinding[] = []
    const { wrong } = await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
    expect({ wrong, states: findings.map(({ state }) => state) }).toEqual({ wrong: 0, states: ['odd', 'odd'] })
    for (const [name, content] of Object.entries(HARD_NAMES)) {
      expect((await wholeFile(await sink.read(`names/data/${name}`, signal), 10))?.toString()).toBe(content)
    }
  })

  test('that an earlier try left are written anew, without what only that try had', async () => {
    const killed = async function* () {
      yield { path: 'data/gone.csv', size: 1, chunks: inMemory(Buffer.from('x')) }
      await Promise.reject(new Error('killed'))
    }
    await expect(writePack('again', killed(), target('folder'))).rejects.toThrow('killed')
    await writePack('again', bagOf(CONTENTS), target('folder'))
    await using bag = storedBag(await openSink(`${url}/again`, options()), signal)
    const findings: BagFinding[] = []
    await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
    expect(findings).toEqual([])
  })

  test('that were stopped while they were made with other flags are made anew, of whichever form', async () => {
    const killed = async function* () {
      yield { path: 'data/gone.csv', size: 1, chunks: inMemory(Buffer.from('x')) }
      await Promise.reject(new Error('killed'))
    }
    const crate = packTarget(sink, { stamp: 'fedcba9876543210', marker: 'ro-crate-metadata.json' })
    await expect(writePack('other', killed(), crate)).rejects.toThrow('killed')
    await writePack('other', bagOf({ a: '1' }), target('folder'))
    await using bag = storedBag(await openSink(`${url}/other`, options()), signal)
    const findings: BagFinding[] = []
    await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
    expect(findings).toEqual([])
    expect(await sink.stat('other/data/gone.csv', 'k-1', signal)).toBeUndefined()
  })

  test.each(['folder', 'zip', 'tar'] as const)(
    'that are a %s leave no upload of a ZIP that was stopped while it was made with other flags',
    async (form) => {
      const dead = await openSink(url, options())
      const stage = await dead.stage(stageOptions({ path: 'left.zip', key: 'pack-fedcba9876543210-0', signal }))
      const digest = createHash({ algorithm: 'md5', size: undefined, saveable: true })
      await stage.restart()
      await stage.append(inMemory(Buffer.alloc(12 << 20)), digest, signal)
      digest.close()
      await dead.close()
      const Bucket = new URL(url).host
      const uploads = async () => (await s3.client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []
      expect(await uploads()).toHaveLength(1)
      await writePack(`left-${form}`, bagOf({ a: '1' }, { serialization: form }), target(form))
      expect(await uploads()).toEqual([])
    },
  )

  test('that another process is making are left to it, whatever its flags', async () => {
    let go = (): void => undefined
    const waiting = new Promise<void>((resolve) => (go = resolve))
    let begun = (): void => undefined
    const isBegun = new Promise<void>((resolve) => (begun = resolve))
    const slow = async function* () {
      begun()
      await waiting
      yield* bagOf({ a: '1' })
    }
    const first = writePack('busy', slow(), target('folder'))
    await isBegun
    const other = await openSink(url, options())
    try {
      const second = packTarget(other, { stamp: 'fedcba9876543210' })
      await expect(writePack('busy', bagOf({ b: '2' }), second)).rejects.toMatchObject({ code: 'SINK_BUSY' })
    } finally {
      go()
      await first
      await other.close()
    }
    expect(await isWritten('busy', target('folder'))).toBe(true)
  })

  test.each(['folder', 'zip'] as const)(
    'that are a %s and were made otherwise stay, and are not taken for others',
    async (form) => {
      await writePack('mine', bagOf({ a: '1' }, { serialization: form }), target(form))
      expect(await isWritten('mine', target(form))).toBe(true)
      const other = { ...target(form), stamp: 'fedcba9876543210' }
      await expect(isWritten('mine', other)).rejects.toMatchObject({ code: 'SINK_EXISTS' })
      const crate = { ...other, serialization: 'folder', marker: 'ro-crate-metadata.json' } as const
      if (form === 'folder') {
        await expect(writePack('mine', bagOf({ b: '2' }), crate)).rejects.toMatchObject({ code: 'SINK_EXISTS' })
      }
      expect(await isWritten('mine', target(form))).toBe(true)
    },
  )

  test('are not made over a statement that is whole', async () => {
    const statement = packTarget(sink, { stamp: 'fedcba9876543210', marker: 'records.sha256' })
    // eslint-disable-next-line @typescript-eslint/require-await -- the records of a batch are read with awaits
    const entries = async function* () {
      yield { path: 'records.sha256', size: 1, chunks: inMemory(Buffer.from('x')) }
    }
    await writePack('stated', entries(), statement)
    await expect(writePack('stated', bagOf({ a: '1' }), target('folder'))).rejects.toMatchObject({
      code: 'SINK_EXISTS',
    })
    expect(await isWritten('stated', statement)).toBe(true)
  })

  test.each(['zip', 'tar'] as const)('that are one %s file go up in parts without a place in between', async (form) => {
    await writePack('packed', bagOf(CONTENTS, { serialization: form }), target(form))
    const folder = await mkdtemp(join(tmpdir(), 'df-bag-'))
    try {
      const file = join(folder, `bag.${form}`)
      await pipeline(Readable.from(await sink.read(`packed.${form}`, signal)), createWriteStream(file))
      await using bag = await openBag(file)
      const findings: BagFinding[] = []
      await checkBag(bag, { signal, onFinding: (finding) => findings.push(finding) })
      expect(findings).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
