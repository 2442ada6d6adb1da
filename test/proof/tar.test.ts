import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { extract, pack, type Pack } from 'tar-stream'
import { expect, it } from 'vitest'
import { bufferAccess } from '../../src/archive/random-access.ts'
import { inMemory, type PackEntry } from '../../src/proof/pack/pack-entry.ts'
import { tarEntries, tarOf } from '../../src/proof/pack/tar.ts'
import { NOW } from './held.ts'

const LONG = `${'folder/'.repeat(40)}Grüße.txt`
const CONTENTS: readonly (readonly [string, string])[] = [
  ['a.csv', 'a,b\n'],
  ['empty', ''],
  [LONG, 'x'.repeat(2_000)],
  ['line\nbreak', 'y'.repeat(512)],
]

async function* entries(): AsyncGenerator<PackEntry> {
  yield { path: 'data/', size: 0, chunks: inMemory() }
  for (const [path, content] of CONTENTS) {
    yield { path, size: Buffer.byteLength(content), chunks: inMemory(Buffer.from(content)) }
    await Promise.resolve()
  }
}

it('what we write other programs read', async () => {
  const found: [string, string | undefined, string][] = []
  const reader = extract()
  const reading = (async () => {
    for await (const entry of reader) found.push([entry.header.name, entry.header.type, await text(entry)])
  })()
  await finished(Readable.from(tarOf('bag', entries(), NOW)).pipe(reader))
  await reading
  expect(found).toEqual([
    ['bag/', 'directory', ''],
    ['bag/data/', 'directory', ''],
    ...CONTENTS.map(([path, content]) => [`bag/${path}`, 'file', content]),
  ])
})

it('what other programs write we list', async () => {
  const bytes = await packed((tar) => {
    for (const [name, content] of CONTENTS) tar.entry({ name: `bag/${name}` }, content)
    tar.entry({ name: 'bag/link', type: 'symlink', linkname: '/etc/passwd' })
  })
  const found: unknown[] = []
  for await (const { path, kind, offset, size } of tarEntries(bufferAccess(bytes))) {
    found.push([path, kind, bytes.toString('utf8', offset, offset + size)])
  }
  expect(found).toEqual([
    ...CONTENTS.map(([path, content]) => [`bag/${path}`, 'file', content]),
    ['bag/link', 'other', ''],
  ])
})

it('a size beyond eight gibibytes is said where other programs look for it', async () => {
  const size = 9 * 2 ** 30
  const big = (async function* (): AsyncGenerator<PackEntry> {
    await Promise.resolve()
    yield { path: 'big', size, chunks: inMemory() }
  })()
  const chunks: Uint8Array[] = []
  for await (const chunk of tarOf('bag', big, NOW)) chunks.push(chunk)
  const head = Buffer.concat(chunks)
  const source = {
    size: head.length + size,
    read: (from: number, to: number) => Promise.resolve(head.subarray(from, to)),
  }
  const listed = tarEntries(source)
  await listed.next()
  expect((await listed.next()).value).toMatchObject({ path: 'bag/big', size })
})

it('a hostile size leads nowhere', async () => {
  for (const size of ['-512', '1.5', '99999999999999999999']) {
    const source = bufferAccess(await packed((tar) => void tar.entry({ name: 'bag/a', size: 0, pax: { size } }, '')))
    await expect(async () => {
      const listed = tarEntries(source)
      while (!(await listed.next()).done);
    }).rejects.toThrow(/damaged: (?:the header at \d+ has no size|it ends in the middle)/)
  }
})

async function packed(fill: (tar: Pack) => void): Promise<Buffer> {
  const tar = pack()
  fill(tar)
  tar.finalize()
  return buffer(Readable.from(tar))
}
