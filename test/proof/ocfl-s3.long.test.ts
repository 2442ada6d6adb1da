import { GetObjectCommand, ListMultipartUploadsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readInventory } from '../../src/proof/ocfl/inventory.ts'
import { unfinishedPath } from '../../src/proof/ocfl/stored-objects.ts'
import { openStorageRoot, type StorageRoot } from '../../src/proof/ocfl/storage-root.ts'
import type { Written } from '../../src/proof/ocfl/write-version.ts'
import { diskTree, storedTree } from '../../src/proof/tree.ts'
import { validated } from './ocfl/object-draft.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { nodeProgram } from '../node-program.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import { addVersion } from './ocfl/add-version.ts'
import { judgeRoot } from './ocfl/judge-root.ts'
import { ID, restored } from './ocfl-history.ts'
import { hasPython, python } from './validators.ts'

const WRITER = fileURLToPath(new URL('ocfl-writer.child.ts', import.meta.url))
const { signal } = new AbortController()

await describeWithOneS3('A storage root', (kind) => {
  let s3: S3Server
  let bucket: string
  let sink: Sink
  let folder: string
  beforeAll(async () => {
    s3 = await kind.start()
  })
  afterAll(() => s3.stop())
  beforeEach(async () => {
    bucket = await s3.bucket()
    sink = await openSink(`s3://${bucket}/some/root`, { s3: { endpoint: s3.endpoint, forcePathStyle: true } })
    folder = await mkdtemp(join(tmpdir(), 'df-ocfl-'))
  })
  afterEach(async () => {
    await sink.close()
    await rm(folder, { recursive: true })
  })

  const open = (): Promise<StorageRoot> => openStorageRoot({ sink, folder: '', signal })

  async function add(n: number, root?: StorageRoot, pid = ID): Promise<Written> {
    const contents = {
      'same.csv': 'one',
      'Grüße 100%.txt': n % 2 === 0 ? 'even' : 'odd',
      [`raw/${n}.csv`]: String(n),
      ...(n % 3 === 0 && { 'empty.txt': '', 'large.bin': `${n} `.repeat(5 << 20) }),
    }
    const metadata = { 'dataset.json': `{"version":${n}}` }
    return addVersion(root ?? (await open()), { pid, number: `${n}.0`, contents, metadata }, { user: { name: 'x' } })
  }

  /** Copies the root to a folder. @returns where the object is there, and paths in the bucket */
  async function download(): Promise<{ readonly root: string; readonly object: string; readonly keys: string[] }> {
    const root = join(folder, 'copy')
    await rm(root, { recursive: true, force: true })
    const Prefix = 'some/root/'
    const keys: string[] = []
    for await (const page of paginateListObjectsV2({ client: s3.client }, { Bucket: bucket, Prefix })) {
      for (const { Key = '' } of page.Contents ?? []) {
        const path = Key.slice(Prefix.length)
        keys.push(path)
        if (path.startsWith('.dataferry/')) continue
        const { Body } = await s3.client.send(new GetObjectCommand({ Bucket: bucket, Key }))
        await mkdir(dirname(join(root, path)), { recursive: true })
        await writeFile(join(root, path), (await Body?.transformToByteArray()) ?? '')
      }
    }
    const { layout } = await open()
    return { root, object: join(root, layout.pathOf(ID)), keys }
  }

  async function expectValid(object: string): Promise<void> {
    const { findings } = await validated(diskTree(object), 'object')
    expect(findings.filter(({ level }) => level === 'error')).toEqual([])
    if (!hasPython) return
    const judged = await python('ocfl-validate.py', object)
    expect(judged.code, judged.text).toBe(0)
  }

  it('is valid after 1 and 5 versions, and has nothing else in it', async () => {
    for (let n = 1; n <= 5; n++) {
      expect(await add(n)).toBe('written')
      if (n !== 1 && n !== 5) continue
      const { root, keys } = await download()
      await judgeRoot(root)
      expect(keys.filter((key) => /^\.dataferry|unfinished/.test(key))).toEqual([])
    }
    const inStore = await validated(storedTree(sink, 'verify-0', signal), 'root')
    // The one who writes has no address.
    expect(inStore).toMatchObject({ codes: ['W008'], objects: 1 })
    expect(await add(5)).toBe('there')
    expect(await add(2)).toBe('there')
    const { object } = await download()
    expect(Object.keys(await restored(object, 'v3')).sort()).toEqual(
      ['.dataverse/dataset.json', 'Grüße 100%.txt', 'empty.txt', 'large.bin', 'raw/3.csv', 'same.csv'].sort(),
    )
  })

  it('has one writer for an object: the other one is told so, and overwrites nothing', async () => {
    await add(1)
    const root = await open()
    const other = await openSink(`s3://${bucket}/some/root`, { s3: { endpoint: s3.endpoint, forcePathStyle: true } })
    try {
      const ends = await Promise.allSettled([
        add(2, root),
        add(2, await openStorageRoot({ sink: other, folder: '', signal })),
        add(2, root),
      ])
      const written = ends.filter((end) => end.status === 'fulfilled' && end.value === 'written')
      expect(written).toHaveLength(1)
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'SINK_BUSY' })
    } finally {
      await other.close()
    }
    await judgeRoot((await download()).root)
  })

  it('an object that another program has touched is refused, and stays as it was', async () => {
    await add(1)
    const { object, root } = await download()
    const path = object.slice(root.length + 1)
    const { objects } = await open()
    await objects.replace(`${path}/v2/content/theirs.txt`, 'theirs')
    const before = (await download()).keys
    await expect(add(2)).rejects.toMatchObject({ code: 'OCFL_REFUSED' })
    expect((await download()).keys).toEqual(before)
  })

  it('no version is added to an object of which content is missing or has another size', async () => {
    await add(1)
    const { objects, layout } = await open()
    const content = `${layout.pathOf(ID)}/v1/content/same.csv`
    for (const bytes of ['', 'longer']) {
      await objects.replace(content, bytes)
      await expect(add(2)).rejects.toMatchObject({ code: 'OCFL_REFUSED' })
    }
    await sink.remove(content)
    await expect(add(2)).rejects.toMatchObject({ code: 'OCFL_REFUSED' })
    await objects.replace(content, 'one')
    expect(await add(2)).toBe('written')
  })

  it.each([
    ['its inventory', ['inventory.json', 'inventory.json.sha512', '0=ocfl_object_1.1']],
    ['its sidecar', ['inventory.json.sha512', '0=ocfl_object_1.1']],
    ['its declaration', ['0=ocfl_object_1.1']],
    ['nothing but the note', []],
  ])('a new object that lacks %s is finished when another one is written', async (_, lacking) => {
    await add(1)
    const { objects, layout } = await open()
    const object = layout.pathOf(ID)
    for (const name of lacking) await sink.remove(`${object}/${name}`)
    await objects.replace(unfinishedPath(object), JSON.stringify({ object, version: 'v1' }))
    await add(1, await open(), 'doi:10.5072/FK2/OTHER')
    const { root, keys } = await download()
    expect(await judgeRoot(root)).toHaveLength(2)
    expect(keys.filter((key) => key.includes('unfinished'))).toEqual([])
  })

  it('killed at any moment, the object is valid at the head it had or has, and the next run goes on', async () => {
    let head = 0
    for (let round = 0; round < 16; round++) {
      const args = [...nodeProgram(WRITER), sink.url, String(head + 1), s3.endpoint]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      const exit = once(child, 'exit')
      const lines: string[] = []
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
      await once(child.stdout, 'data')
      await setTimeout(Math.random() * 250)
      child.kill('SIGKILL')
      await exit
      head = Math.max(head, ...lines.map((line) => Number(line.split(' ')[0])))
      if (round % 2 === 0) {
        await expectValid(await asRead((await download()).object))
        continue
      }
      // Whoever writes next finishes what the kill left, or takes it back, whatever it writes.
      expect(await add(round, await open(), 'doi:10.5072/FK2/OTHER')).toBe('written')
      const { root, keys } = await download()
      await judgeRoot(root)
      expect(keys.filter((key) => /^\.dataferry|unfinished/.test(key))).toEqual([])
      const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
      expect(Uploads).toEqual([])
    }
    for (const n of [head + 1, head + 2]) expect(['written', 'there']).toContain(await add(n))
    await judgeRoot((await download()).root)
  })

  /**
   * What a reader sees, who goes by the inventory of the object: not the files of a version that it does not name. Between the writes
   * of the inventory and its sidecar that is the one before it.
   */
  async function asRead(object: string): Promise<string> {
    const bytes = await readFile(join(object, 'inventory.json'))
    const inventory = readInventory(bytes)
    if (!inventory) throw new Error('no inventory')
    for (const name of await readdir(object)) {
      if (/^v\d+$/.test(name) && !Object.hasOwn(inventory.versions, name))
        await rm(join(object, name), { recursive: true })
    }
    const sidecar = await readFile(join(object, inventory.head, 'inventory.json.sha512'))
    await writeFile(join(object, 'inventory.json.sha512'), sidecar)
    return object
  }
})

describe.skipIf(hasPython)('ocfl-py is not installed: objects were not judged by it', () => {
  it.skip('run scripts/validators.mjs', () => undefined)
})
