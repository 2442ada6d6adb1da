import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import { newOwner, ownProcess } from '../../src/process/process-identity.ts'
import { completeBag, type Completed } from '../../src/proof/bagit/complete-bag.ts'

const CONTENT = 'a,b\n1,2\n'
const LINE_SEPARATOR = '\u2028'

let folder: string
let root: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-complete-'))
  root = join(folder, 'bag')
  await mkdir(root)
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

/** Completes a bag that lacks these files, each of which the server has. */
async function complete(
  paths: readonly string[],
  onOpen: () => Promise<void> = () => Promise.resolve(),
): Promise<Completed & { readonly failures: readonly string[] }> {
  const md5 = createHash('md5').update(CONTENT).digest('hex')
  await writeFile(join(root, 'bagit.txt'), 'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n')
  await writeFile(join(root, 'manifest-md5.txt'), paths.map((path) => `${md5}  ${path}\n`).join(''))
  await writeFile(join(root, 'fetch.txt'), paths.map((path) => `https://x.org/a ${CONTENT.length} ${path}\n`).join(''))
  const failures: string[] = []
  const completed = await completeBag(root, {
    open: async () => {
      await onOpen()
      const unsaid = {
        size: undefined,
        etag: undefined,
        contentType: undefined,
        encoding: undefined,
        counted: false,
      }
      return { body: Readable.from([Buffer.from(CONTENT)]), from: 0, ...unsaid }
    },
    attempts: 1,
    firstWaitMs: 1,
    signal: new AbortController().signal,
    onFile: (_, failure) => {
      if (failure) failures.push(`${failure.code} ${failure.message}`)
    },
  })
  return { ...completed, failures }
}

it('names of any script are fetched, also with what some systems take for the end of a line', async () => {
  const paths = ['data/a', `data/b${LINE_SEPARATOR}c`, 'data/x/Grüße.csv']
  expect(await complete(paths)).toEqual({ fetched: 3, there: 0, failed: 0, failures: [] })
  for (const path of paths) expect(await readFile(join(root, path), 'utf8')).toBe(CONTENT)
})

it('a file grows within the bag, and nothing of it is left beside it', async () => {
  let during: readonly string[] = []
  await complete(['data/a'], async () => {
    during = await readdir(folder)
  })
  expect(during).toEqual(['bag'])
  expect((await readdir(root)).sort()).toEqual(['bagit.txt', 'data', 'fetch.txt', 'manifest-md5.txt'])
})

it('what a killed try left is removed, and what a live one writes stays', async () => {
  const own = await ownProcess()
  const dead = `.dataferry-${newOwner({ ...own, pid: 4_194_000, startTime: '1' })}.part`
  const alive = `.dataferry-${newOwner(own)}.part`
  for (const name of [dead, alive]) await writeFile(join(root, name), 'half')
  expect(await complete(['data/a'])).toMatchObject({ fetched: 1 })
  expect((await readdir(root)).filter((name) => name.endsWith('.part'))).toEqual([alive])
})

it('a file that two lines name is fetched once, and from the second address where the first fails', async () => {
  let opened = 0
  const onOpen = async (): Promise<void> => {
    if (++opened === 1) await Promise.reject(new DataferryError('SOURCE_NOT_FOUND', 'gone'))
  }
  expect(await complete(['data/a', 'data/a'], onOpen)).toMatchObject({ fetched: 1, failed: 1 })
  expect(await complete(['data/a', 'data/a'])).toMatchObject({ there: 2 })
})

it('a link that leads out of the bag is refused before anything is made behind it', async () => {
  const outside = join(folder, 'outside')
  await mkdir(outside)
  await mkdir(join(root, 'data'))
  await symlink(outside, join(root, 'data', 'out'))
  const { failures } = await complete(['data/out/new/a'])
  expect(failures).toEqual([expect.stringMatching(/^BAG_INVALID .*a link leads out of the bag/)])
  expect(await readdir(outside)).toEqual([])
})

it('what is there and cannot be the file is refused: a link, a folder, or another size', async () => {
  const victim = join(folder, 'victim')
  await writeFile(victim, 'precious')
  await mkdir(join(root, 'data', 'b'), { recursive: true })
  await symlink(victim, join(root, 'data', 'a'))
  await writeFile(join(root, 'data', 'c'), 'other')
  const { failures, there } = await complete(['data/a', 'data/b', 'data/c'])
  expect(there).toBe(0)
  expect(failures).toEqual([
    'BAG_INVALID data/a is in the way: it is there, and is no file.',
    'BAG_INVALID data/b is in the way: it is there, and is no file.',
    'BAG_INVALID data/c is in the way: it has 5 bytes, and fetch.txt says 8.',
  ])
  expect(await readFile(victim, 'utf8')).toBe('precious')
})

it('a disk that refuses one file is said so, and the others come', async () => {
  const { fetched, failures } = await complete([`data/${'x'.repeat(300)}`, 'data/b'])
  expect(fetched).toBe(1)
  expect(failures).toEqual([expect.stringMatching(/^SINK_DENIED /)])
})
