import { access, lstat, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { markDraft } from '../../src/batch/drafts.ts'
import { DataferryError } from '../../src/errors.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { names, readResults } from '../../src/proof/verify/results.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, store } from '../contracts/sink-bytes.ts'
import { all, batchOf, done, itemAt, plannedBatch, recorded, unread } from '../batch/fixtures.ts'
import { records } from '../e2e/cli.ts'
import { runInProcess, type Ended } from './in-process.ts'
import { Recorder } from './recorder.ts'

const BYTES = bytesOf(100)

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'df-verify-'))
})
afterEach(async () => {
  await rm(cwd, { recursive: true })
})

/** A destination whose one batch has brought these files; what lies there in the end is the test's business. */
async function fetched(...paths: readonly string[]): Promise<void> {
  const sink = diskSink(join(cwd, 'data'))
  await plannedBatch(
    sink.records,
    paths.map((path) => itemAt(path)),
  )
  await recorded(
    sink.records,
    paths.map((path, n) => done(n, path, BYTES)),
  )
  for (const path of paths) await store(sink, path, BYTES)
  await sink.close()
}

const verify = (...args: readonly string[]): Promise<Ended> =>
  runInProcess(['verify', join(cwd, 'data'), ...args], { cwd })

it('names what is wrong in the order of the paths, and asks for it in the order of the plan', async () => {
  await fetched('z/gone', 'fine', 'a/changed', 'b/gone')
  await writeFile(join(cwd, 'data/a/changed'), bytesOf(100, 2))
  await rm(join(cwd, 'data/z/gone'))
  await rm(join(cwd, 'data/b/gone'))
  const { code, stdout } = await verify('--wanted', join(cwd, 'again.csv'))
  expect(code).toBe(1)
  expect(stdout.match(/^(?:missing|bit rot) +\S+/gm)?.map((line) => line.split(/ {2,}/))).toEqual([
    ['bit rot', 'a/changed'],
    ['missing', 'b/gone'],
    ['missing', 'z/gone'],
  ])
  // It names the command that mends that.
  expect(stdout).toMatch(/To repair what is missing or changed:\n {2}dataferry repair \S+\/data\n/)
  const rows = (await readFile(join(cwd, 'again.csv'), 'utf8')).trimEnd().split('\r\n')
  expect(rows.map((row) => /(?:z|a|b)\/\w+/.exec(row)?.[0])).toEqual([undefined, 'z/gone', 'a/changed', 'b/gone'])
})

it('says nothing of a plan that a page of a dashboard shows', async () => {
  await fetched('a')
  const { records } = diskSink(join(cwd, 'data'))
  await plannedBatch(records, [itemAt('b')], batchOf('b2'))
  expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('never fetched') as string })
  await markDraft(records, 'b2', await ownProcess())
  expect(await verify()).toMatchObject({ code: 0, stdout: expect.not.stringContaining('b2') as string })
})

it('takes a further digest of what is held, which later verifications compare with, and writes sums of it', async () => {
  await fetched('a', 'with blanks/ü')
  expect(await verify('--digest', 'sha512')).toMatchObject({ code: 0 })
  const sums = join('.dataferry', 'verified', 'sha512sums.txt')
  const check = promisify(execFile)('sha512sum', ['--strict', '-c', sums], { cwd: join(cwd, 'data') })
  expect((await check).stdout).toBe('a: OK\nwith blanks/ü: OK\n')
  expect(await verify()).toMatchObject({ code: 0 })
  const sink = diskSink(join(cwd, 'data'))
  const { hex } = checksumOf(BYTES, 'sha512')
  expect((await all(readResults(sink.records))).map(({ digests }) => digests)).toEqual([
    [{ algorithm: 'sha512', hex }],
    [{ algorithm: 'sha512', hex }],
  ])
  // As if somebody had found other bytes with the same MD5.
  const results = String(await sink.records.read(names.results))
  await sink.records.write(names.results, results.replace(hex, '0'.repeat(hex.length)))
  await sink.close()
  const forged = await verify()
  expect(forged.code).toBe(1)
  expect(forged.stdout).toContain(`(sha512 ${hex}, was sha512 000`)
})

it('knows a file that was recorded without a checksum by the digest that it has taken', async () => {
  const sink = diskSink(join(cwd, 'data'))
  await plannedBatch(sink.records, [itemAt('a')])
  await recorded(sink.records, [unread(0, 'a', BYTES.length)])
  await store(sink, 'a', BYTES)
  expect((await verify('--digest', 'sha256')).stdout).toContain('1 compared by size only')
  expect((await verify()).stdout).toContain('1 right')
  expect((await verify()).stdout).toContain('1 right')
  await writeFile(join(cwd, 'data/a'), bytesOf(100, 2))
  expect((await verify()).stdout).toContain('bit rot  a')
  await sink.close()
})

it('cannot take a digest of what it does not read', async () => {
  await fetched('a')
  expect(await verify('--digest', 'sha512', '--quick')).toMatchObject({ code: 2 })
})

it('stopped in the middle it ends with 130, and leaves no manifest of a part', async () => {
  await fetched('a/gone', 'b/gone')
  await rm(join(cwd, 'data/a/gone'))
  await rm(join(cwd, 'data/b/gone'))
  const stopping = new AbortController()
  const stdout = new (class extends Recorder {
    override write(text: string): boolean {
      stopping.abort(new DataferryError('INTERRUPTED', 'Ctrl-C'))
      return super.write(text)
    }
  })()
  const wanted = join(cwd, 'again.csv')
  const { code, stderr } = await runInProcess(['verify', join(cwd, 'data'), '--wanted', wanted], {
    cwd,
    signal: stopping.signal,
    stdout,
  })
  expect(code).toBe(130)
  expect(stdout.text).toMatch(/^missing +a\/gone\n {4}of b1\n$/)
  expect(stderr).toContain('Stopping. Press Ctrl-C again to stop at once.')
  await expect(access(wanted)).rejects.toThrow()
})

it('keeps what it has found beside the data, and names kind, batch and dataset in a report', async () => {
  await fetched('fine', 'rotten', 'cut', 'gone')
  await writeFile(join(cwd, 'data/rotten'), bytesOf(100, 2))
  await writeFile(join(cwd, 'data/cut'), bytesOf(99))
  await writeFile(join(cwd, 'data/=extra'), 'x')
  await rm(join(cwd, 'data/gone'))
  const report = join(cwd, 'report')
  expect((await verify('--report', `${report}.ndjson`)).code).toBe(1)
  expect(records(await readFile(`${report}.ndjson`, 'utf8'))).toMatchObject([
    { path: '=extra', kind: 'extra', size: 1 },
    { path: 'cut', kind: 'wrong-size', batch: 'b1', expected: '100 bytes', found: '99 bytes' },
    { path: 'gone', kind: 'missing', batch: 'b1' },
    { path: 'rotten', kind: 'bit-rot', batch: 'b1' },
  ])
  expect((await verify('--report', `${report}.csv`)).code).toBe(1)
  const rows = (await readFile(`${report}.csv`, 'utf8')).trimEnd().split('\r\n')
  expect(rows.map((row) => row.split(',').slice(0, 3))).toEqual([
    ['kind', 'path', 'batch'],
    ['extra', "'=extra", '""'],
    ['wrong-size', 'cut', 'b1'],
    ['missing', 'gone', 'b1'],
    ['bit-rot', 'rotten', 'b1'],
  ])
  const kept = await readFile(join(cwd, 'data/.dataferry/verified/verified.ndjson'), 'utf8')
  expect(kept.trimEnd().split('\n')).toHaveLength(5)
})

it('at a place that cannot be written it verifies as well, and says that nothing is kept', async () => {
  await fetched('fine')
  await writeFile(join(cwd, 'data/.dataferry/verified'), 'in the way')
  const { code, stderr } = await verify()
  expect(code).toBe(0)
  expect(stderr).toContain('The results of this verification are not kept')
})

it('sees a file whose name, or whose folder’s name, is not UTF-8', async () => {
  await fetched('a')
  const data = Buffer.from(join(cwd, 'data/'))
  const place = (...parts: readonly (string | number)[]): Buffer =>
    Buffer.concat([data, ...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part)))])
  await mkdir(place('ds', 0xfe))
  await writeFile(place('ds', 0xfe, '/in.txt'), 'x')
  await writeFile(place(0xff, '.txt'), 'xx')
  await writeFile(place('\ufffd.txt'), 'xxx')
  const { code, stdout } = await verify('--json')
  expect(code).toBe(1)
  const found = records(stdout).filter(({ event, state }) => event === 'finding' && state === 'extra')
  expect(found).toMatchObject([
    { path: '\\xff.txt', size: 2 },
    { path: 'ds\\xfe/in.txt', size: 1 },
    { path: '\ufffd.txt', size: 3 },
  ])
})

it('of a folder without records it makes no destination', async () => {
  await mkdir(join(cwd, 'data'))
  expect((await verify()).code).toBe(3)
  await expect(access(join(cwd, 'data/.dataferry'))).rejects.toThrow()
})

it('--rolling reads a share, says what it owed, and with --json when everything will have been read', async () => {
  await fetched('a', 'b', 'c')
  const on =
    (day: number): (() => Date) =>
    () =>
      new Date(Date.UTC(2026, 1, day))
  const rolling = (day: number, ...args: readonly string[]): Promise<Ended> =>
    runInProcess(['verify', join(cwd, 'data'), '--rolling', '3d', ...args], { cwd, now: on(day) })
  const first = await rolling(1)
  expect(first.code).toBe(0)
  expect(first.stdout).toContain('1 right (100 B read)')
  expect(first.stdout).toContain('Owed 100 B of 300 B, read 100 B. 2 files (200 B) to go until 2026-02-03.')
  await writeFile(join(cwd, 'data/b'), bytesOf(100, 2))
  const second = await rolling(2, '--json')
  expect(second.code).toBe(1)
  expect(second.record()).toMatchObject({
    event: 'verified',
    changed: 1,
    read: { files: 1, bytes: 100 },
    rolling: { owed: 100, left: { files: 1, bytes: 100 } },
    neverRead: { files: 1, bytes: 100 },
  })
  expect(second.record()).toHaveProperty(
    'report',
    expect.stringMatching(/\/data\/\.dataferry\/verified\/summary\.json$/),
  )
  expect((await rolling(3)).stdout).toContain('1 right (100 B read)')
})

it('refuses a period that is none, and --quick with it, before anything is read', async () => {
  await fetched('a')
  for (const flags of [
    ['--rolling', '30'],
    ['--rolling', '0d'],
    ['--rolling', '30d', '--quick'],
  ]) {
    expect((await verify(...flags)).code).toBe(2)
  }
  expect((await verify('--rolling', '0d')).stderr).toContain('0d is too short')
})

it('writes a report to a pipe or through a link, never into the destination, over a folder or beside --wanted', async () => {
  await fetched('gone')
  await rm(join(cwd, 'data/gone'))
  expect((await verify('--report', join(cwd, 'target.csv'))).code).toBe(1)
  await symlink('target.csv', join(cwd, 'link.csv'))
  expect((await verify('--report', join(cwd, 'link.csv'))).code).toBe(1)
  expect(await readFile(join(cwd, 'target.csv'), 'utf8')).toContain('missing,gone')
  expect((await lstat(join(cwd, 'link.csv'))).isSymbolicLink()).toBe(true)
  expect((await verify('--report', '/dev/null')).code).toBe(1)
  expect((await lstat('/dev/null')).isFile()).toBe(false)
  const same = join(cwd, 'same.csv')
  for (const flags of [
    ['--report', join(cwd, 'data/report.csv')],
    ['--wanted', join(cwd, 'data/again.csv')],
    ['--report', cwd],
    ['--report', join(cwd, 'none', 'report.csv')],
    ['--report', join(cwd, 'data', '.dataferry', 'destination.json')],
    ['--report', same, '--wanted', same],
  ]) {
    const { code, stderr } = await verify(...flags)
    expect([code, stderr.split('\n').length]).toEqual([2, 2])
  }
})

it('replaces an older report, and nothing else', async () => {
  await fetched('gone')
  await rm(join(cwd, 'data/gone'))
  const [report, mine, full] = [join(cwd, 'report'), join(cwd, 'mine'), '/dev/full']
  for (let turn = 0; turn < 2; turn++) expect((await verify('--report', report)).code).toBe(1)
  await writeFile(mine, 'precious')
  expect(await verify('--report', mine)).toMatchObject({
    code: 2,
    stderr: `dataferry: ${mine} is there, and is no report: give --report another name.\n`,
  })
  await rename(mine, `${report}.part`)
  expect((await verify('--report', report)).code).toBe(2)
  expect(await readFile(`${report}.part`, 'utf8')).toBe('precious')
  if (process.platform !== 'linux') return
  expect(await verify('--report', full)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining(`Cannot write ${full}: ENOSPC`) as string,
  })
})

it('shows a line break in the name of a file as what it is', async () => {
  await fetched('fine')
  await writeFile(join(cwd, 'data/x\nall right'), 'x')
  expect((await verify()).stdout).toContain('extra    x\\nall right  (no receipt knows it)')
})
