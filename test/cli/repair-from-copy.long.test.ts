import { access, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { batchOf, done, itemAt, plannedBatch, recorded } from '../batch/fixtures.ts'
import { bytesOf, store } from '../contracts/sink-bytes.ts'
import { records } from '../e2e/cli.ts'
import { runInProcess, type Ended } from './in-process.ts'

/** What is right at a path: of each file other bytes, so that none is found at the path of another. */
const good = (path: string): Buffer => bytesOf(100, 1000 + Buffer.from(path).readUInt8(0))
const BAD = bytesOf(100, 2)

let cwd: string
const data = (...parts: readonly string[]): string => join(cwd, 'data', ...parts)
const copy = (...parts: readonly string[]): string => join(cwd, 'copy', ...parts)
const cli = (...args: readonly string[]): Promise<Ended> => runInProcess(args, { cwd })
const repair = (...args: readonly string[]): Promise<Ended> => cli('repair', data(), '--from', copy(), ...args)

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'df-repair-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true })
})

/** A destination with these files, and a copy of it. */
async function fetched(...paths: readonly string[]): Promise<void> {
  const sink = diskSink(data())
  for (const [n, path] of paths.entries()) {
    await plannedBatch(sink.records, [itemAt(path)], batchOf(`b${n}`))
    await recorded(sink.records, [done(0, path, good(path))], 'w', `b${n}`)
    await store(sink, path, good(path))
  }
  await sink.close()
  await cp(data(), copy(), { recursive: true })
}

/** Names of what is kept aside. */
async function aside(): Promise<string[]> {
  const names = await readdir(data('.dataferry/repair')).catch(() => [])
  const runs = names.filter((name) => name !== 'pending.json')
  const found = await Promise.all(runs.map((run) => readdir(data('.dataferry/repair', run, 'aside'))))
  return found.flat()
}

it('copies what is missing, changed or cut from another copy, and leaves nothing aside', async () => {
  await fetched('fine', 'gone', 'rotten', 'cut')
  await rm(data('gone'))
  await writeFile(data('rotten'), BAD)
  await writeFile(data('cut'), bytesOf(9))
  const { code, stdout, stderr } = await repair()
  expect([code, stderr]).toEqual([0, expect.stringContaining('Copying 3 files')])
  for (const path of ['fine', 'gone', 'rotten', 'cut']) expect(await readFile(data(path))).toEqual(good(path))
  expect(stdout).toContain('repaired  rotten\n')
  expect(stdout).toContain('3 files repaired (300 B)')
  await expect(access(data('.dataferry/repair'))).rejects.toThrow()
  expect((await cli('verify', data())).code).toBe(0)
  expect((await repair()).stdout).toContain('nothing is missing or changed')
})

it('keeps what was damaged aside where that is asked for', async () => {
  await fetched('rotten', 'cut')
  await writeFile(data('rotten'), BAD)
  await writeFile(data('cut'), bytesOf(9))
  const { code, stdout } = await repair('--keep-damaged')
  expect([code, stdout]).toEqual([0, expect.stringContaining('2 damaged files are kept in .dataferry/repair/')])
  expect(stdout).toMatch(/repaired {2}rotten\n {4}the damaged file: \.dataferry\/repair\/\S+\/aside\/rotten\n/)
  expect((await aside()).sort()).toEqual(['cut', 'rotten'])
})

it('lets go of what a killed repair kept aside, once something right is in its place', async () => {
  await fetched('put', 'lost')
  const run = '2026-01-01T00-00-00.000Z'
  // As if the good file had been put in its place, and the other one had gone meanwhile, with its copy.
  await mkdir(data('.dataferry/repair', run, 'aside'), { recursive: true })
  for (const name of ['put', 'lost']) await writeFile(data('.dataferry/repair', run, 'aside', name), BAD)
  await writeFile(data('.dataferry/repair/pending.json'), JSON.stringify({ v: 1, run }))
  await rm(data('lost'))
  await rm(copy('lost'))
  const { code, stdout } = await repair()
  expect(code).toBe(1)
  expect(stdout.replaceAll('\n', ' ')).toContain(
    `1 damaged file stays in .dataferry/repair/${run}/aside, as nothing right`,
  )
  expect(await aside()).toEqual(['lost'])
  await writeFile(data('lost'), good('lost'))
  expect((await repair()).code).toBe(0)
  await expect(access(data('.dataferry/repair'))).rejects.toThrow()
})

it('finds what the copy has at another path', async () => {
  await fetched('here')
  await rename(copy('here'), copy('there'))
  await writeFile(data('here'), BAD)
  // The records of the copy do not know of it.
  expect((await repair()).code).toBe(1)
  await rm(copy(), { recursive: true })
  const sink = diskSink(copy())
  await plannedBatch(sink.records, [itemAt('there')])
  await recorded(sink.records, [done(0, 'there', good('here'))])
  await store(sink, 'there', good('here'))
  await sink.close()
  expect((await repair()).code).toBe(0)
  expect(await readFile(data('here'))).toEqual(good('here'))
})

it('never spreads what is damaged in the copy, too, and says so', async () => {
  await fetched('rotten', 'lost', 'fine')
  await writeFile(data('rotten'), BAD)
  await writeFile(copy('rotten'), bytesOf(100, 3))
  await rm(data('lost'))
  await rm(copy('lost'))
  const { code, stdout } = await repair('--json')
  expect(code).toBe(1)
  const said = records(stdout)
  expect(said.filter(({ event }) => event === 'not-repaired')).toEqual([
    {
      event: 'not-repaired',
      path: 'lost',
      state: 'missing',
      code: 'SINK_FAILED',
      message: 'The copy has no such file.',
    },
    {
      event: 'not-repaired',
      path: 'rotten',
      state: 'changed',
      code: 'CHECKSUM_MISMATCH',
      message: 'The copy has other bytes than were received, too.',
    },
  ])
  expect(said.at(-1)).toMatchObject({ event: 'repair', repaired: 0, notRepaired: 2, aside: 0 })
  expect(await readFile(data('rotten'))).toEqual(Buffer.from(BAD))
  expect(await aside()).toEqual([])
})

it('reads again only what was found wrong or not verified, looks at old findings again, and closes them', async () => {
  await fetched('a', 'b', 'c')
  await writeFile(data('a'), BAD)
  await writeFile(data('b'), BAD)
  expect((await cli('verify', data())).code).toBe(1)
  // Restored by hand meanwhile; c has rotted since it was verified, which only a look at all of it tells.
  await writeFile(data('b'), good('b'))
  await writeFile(data('c'), BAD)
  expect((await repair()).stdout).toContain('1 file repaired')
  const summary = JSON.parse(await readFile(data('.dataferry/verified/summary.json'), 'utf8')) as { open: unknown }
  expect(summary.open).toEqual({ missing: 0, changed: 0, extra: 0, unfetched: 0 })
  expect((await repair('--full')).stdout).toContain('repaired  c')
})

it('repairs only the batches that are named, and with -n nothing', async () => {
  await fetched('a', 'b')
  await writeFile(data('a'), BAD)
  await writeFile(data('b'), BAD)
  const looked = await cli('repair', data(), '-n')
  expect([looked.code, looked.stdout]).toEqual([1, expect.stringContaining('2 files to repair')])
  expect((await repair('b1')).stdout).toContain('1 file repaired')
  expect([await readFile(data('a')), await readFile(data('b'))]).toEqual([Buffer.from(BAD), good('b')])
  expect((await repair('nobody')).code).toBe(2)
  await symlink(data(), join(cwd, 'link'))
  for (const itself of [data(), join(cwd, 'link')])
    expect((await cli('repair', data(), '--from', itself)).stderr).toContain('names the destination itself')
  const none = await cli('repair', data(), '--from', join(cwd, 'none'))
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('there is no such folder')])
})

it('says what it did not read, and names what it was to look at', async () => {
  await fetched('a', 'b')
  expect((await cli('verify', data())).code).toBe(0)
  await writeFile(data('a'), BAD)
  const words = async (...more: readonly string[]): Promise<string> =>
    (await repair('b0', ...more)).stdout.replaceAll('\n', ' ')
  const unread = '1 file that was verified within 30 days was not read again'
  expect(await words()).toContain(`${data()}, of b0: nothing is missing or changed, as far as was looked: ${unread}`)
  expect(await words('--full')).toContain('1 file repaired')
})

it('a damaged record of a repair that was cut short stops no other', async () => {
  await fetched('a')
  await mkdir(data('.dataferry/repair/2026-01-01T00-00-00.000Z/aside'), { recursive: true })
  await writeFile(data('.dataferry/repair/2026-01-01T00-00-00.000Z/aside/a'), BAD)
  await writeFile(data('.dataferry/repair/pending.json'), '{')
  expect((await repair()).code).toBe(0)
  await expect(access(data('.dataferry/repair'))).rejects.toThrow()
})

it('makes no destination of a place that is none', async () => {
  await mkdir(data())
  expect((await cli('repair', data())).code).toBe(3)
  await expect(access(data('.dataferry'))).rejects.toThrow()
})
