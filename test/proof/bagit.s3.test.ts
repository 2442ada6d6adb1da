import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createWriteStream } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBag, storedBag } from '../../src/proof/bagit/bag-source.ts'
import { checkBag, type BagFinding } from '../../src/proof/bagit/check-bag.ts'
import type { Serialization } from '../../src/proof/pack/pack-entry.ts'
import { isWritten, writePack } from '../../src/proof/pack/write-pack.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { bagOf, NOW } from './held.ts'

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

  const target = (serialization: Serialization) => ({ sink, serialization, marker: 'bagit.txt', now: NOW, signal })

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
