import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { readResults } from '../../src/proof/verify/results.ts'
import { records } from './cli.ts'
import { useDataverse, useHome } from './use-home.ts'

const MIB = 1 << 20
const FILES = 24
const KILLS = 6
const FOLDER = 'doi-10.5072-FK2-WATCH'

const home = useHome()
const dataverse = useDataverse({
  world: {
    datasets: [
      {
        pid: 'doi:10.5072/FK2/WATCH',
        files: Array.from({ length: FILES }, (_, n) => ({
          id: 100 + n,
          label: `${n}.bin`,
          content: { size: n < 4 ? 6 * MIB : 20_000 + n, seed: n },
        })),
      },
    ],
  },
  bytesPerSecond: 8 * MIB,
})
beforeAll(async () => {
  const { code } = await home.run(['run', 'doi:10.5072/FK2/WATCH', '--server', dataverse.url, '--to', home.data])
  expect(code).toBe(0)
})

const at = (name: string): string => join(home.data, FOLDER, name)
const md5 = async (path: string): Promise<string> =>
  createHash('md5')
    .update(await readFile(path))
    .digest('hex')

test('a rolling verification that is killed remembers what it had read, and never has half of its results', async () => {
  const args = ['verify', home.data, '--rolling', '1d']
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = home.start(args)
    await Promise.race([ended, sleep(200 + kill * 230)])
    child.kill('SIGKILL')
    await ended
  }
  const { code } = await home.run(args)
  expect(code).toBe(0)
  const sink = diskSink(home.data)
  const seen: string[] = []
  for await (const { path, state } of readResults(sink.records)) {
    expect(state).toBe('ok')
    seen.push(path)
  }
  await sink.close()
  expect(new Set(seen).size).toBe(FILES)
})

test('a repair that is killed again and again loses nothing, and the next one ends it', async () => {
  const good = new Map<string, string>()
  for (let n = 0; n < FILES; n++) good.set(`${n}.bin`, await md5(at(`${n}.bin`)))
  const damaged = ['0.bin', '1.bin', '2.bin', '3.bin', '7.bin', '9.bin']
  for (const name of damaged) {
    const bytes = await readFile(at(name))
    bytes[1000] = (bytes[1000] ?? 0) ^ 1
    await writeFile(at(name), bytes)
  }
  const rotten = new Map<string, string>()
  for (const name of damaged) rotten.set(name, await md5(at(name)))
  const args = ['repair', home.data, '--server', dataverse.url, '--full', '--json']
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = home.start(args)
    await Promise.race([ended, sleep(700 + ((kill * 617) % 2000))])
    child.kill('SIGKILL')
    await ended
    for (const [name, sum] of good) expect([sum, rotten.get(name)]).toContain(await md5(at(name)))
  }
  const { code, stdout, stderr } = await home.run(args)
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('dataferry: ')])
  expect(records(stdout).at(-1)).toMatchObject({ event: 'repair', notRepaired: 0 })
  for (const [name, sum] of good) expect(await md5(at(name))).toBe(sum)
  const verified = await home.run(['verify', home.data])
  expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining(`${FILES} right`)])
})

test('a repair from a copy that is killed leaves whole files, good or damaged, and the next one ends it', async () => {
  const copy = join(home.folder, 'copy')
  const good = new Map<string, Buffer>()
  for (let n = 0; n < 4; n++) {
    const bytes = await readFile(at(`${n}.bin`))
    good.set(`${n}.bin`, bytes)
    const to = join(copy, FOLDER, `${n}.bin`)
    await mkdir(dirname(to), { recursive: true })
    await writeFile(to, bytes)
    await writeFile(at(`${n}.bin`), bytes.subarray(0, 1000 + n))
  }
  const args = ['repair', home.data, '--from', copy]
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = home.start(args)
    await Promise.race([ended, sleep(300 + kill * 120)])
    child.kill('SIGKILL')
    await ended
    for (const [name, bytes] of good)
      expect([bytes.length, 1000 + Number.parseInt(name)]).toContain((await readFile(at(name))).length)
  }
  expect((await home.run(args)).code).toBe(0)
  for (const [name, bytes] of good) expect((await readFile(at(name))).equals(bytes)).toBe(true)
})
