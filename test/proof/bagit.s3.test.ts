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
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { bagOf, packTarget } from './held.ts'

const CONTENTS = { 'raw/a.csv': 'a,b\n', 'Grüße 100%.txt': 'x'.repeat(20 << 20), empty: '' }
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
