import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { WorldJson } from '../fakes/dataverse/world-json.ts'
import { records } from './cli.ts'
import { useDataverse, useHome } from './use-home.ts'
import { expectNothingPartial } from './whole-files.ts'

const MIB = 1 << 20
const SMALL = 296
const LARGE = [24, 32, 40, 48].map((mib) => mib * MIB)
const KILLS = 12
const ALONE = 80 * MIB
/** What a file in flight may have fetched again for each kill. */
const LOST_PER_KILL = 8 * MIB
const SEGMENTED = 400 * MIB
/** What may have come ahead of its turn, and what was on its way over four connections. */
const SEGMENTS_LOST_PER_KILL = (64 + 4 * 8) * MIB

const world: WorldJson = {
  datasets: [
    {
      pid: 'doi:10.5072/FK2/KILL',
      files: [
        ...LARGE.map((size, i) => ({ id: 100 + i, label: `large-${i}.bin`, content: { size, seed: i } })),
        ...Array.from({ length: SMALL }, (_, i) => ({
          id: 1000 + i,
          label: `small-${i}.bin`,
          directory: `folder-${i % 7}`,
          content: { size: (i * 977) % 30_000, seed: 100 + i },
          checksum: (['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const)[i % 4] ?? 'MD5',
        })),
      ],
    },
    { pid: 'doi:10.5072/FK2/ALONE', files: [{ id: 500, label: 'alone.bin', content: { size: ALONE, seed: 5 } }] },
    {
      pid: 'doi:10.5072/FK2/SEGMENTED',
      files: [{ id: 600, label: 'stored.bin', content: { size: SEGMENTED, seed: 6 }, store: 's3-redirect' }],
    },
  ],
}

const home = useHome()
const dataverse = useDataverse({
  world,
  bytesPerSecond: 12 * MIB,
  chaos: {
    seed: 7,
    probability: 0.08,
    perFile: 2,
    kinds: ['cut', 'reset', '500', '502', '503', 'ignore-range', 'flip', 'longer', 'early-end'],
  },
})

test('a command that is killed again and again ends with every file right, once, and counted once', async () => {
  const args = ['run', 'doi:10.5072/FK2/KILL', '--server', dataverse.url, '--to', home.data, '--json']
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = home.start(args)
    await Promise.race([ended, sleep(400 + ((kill * 617) % 1200))])
    child.kill('SIGKILL')
    await ended
    await expectNothingPartial(home.data, 'doi-10.5072-FK2-KILL')
  }
  const { code, stdout, stderr } = await home.run(args)
  expect(stderr).not.toContain('dataferry:')
  expect(code).toBe(0)
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  const all = LARGE.length + SMALL
  expect(summary).toMatchObject({ planned: all, missing: 0, failed: 0, complete: true, verified: { checksum: all } })
  const items = records(stdout).filter(({ event }) => event === 'item')
  expect(new Set(items.map(({ n }) => n)).size).toBe(all)
  expect(items.length).toBe(all)
  const status = await home.run(['status', '--json'])
  const [batch] = records(status.stdout).filter(({ event }) => event === 'batch')
  expect(batch).toMatchObject({ state: 'finished', failed: 0, done: summary?.['done'], kept: summary?.['kept'] })
  expect((await home.run(['verify', home.data])).code).toBe(0)
  expect(await readdir(join(home.data, '.dataferry', 'parts')).catch(() => [])).toEqual([])
  for (const [i, size] of LARGE.entries()) {
    const { bytes } = await dataverse.counters(100 + i)
    // Faults of the server cost bytes too: each of the two may spoil the whole file.
    expect(bytes).toBeLessThan(size * 3 + KILLS * LOST_PER_KILL)
  }
})

test('a large file that is in flight at each kill fetches at most 8 MiB again for it', async () => {
  await dataverse.set({ chaos: null, bytesPerSecond: 24 * MIB })
  const args = ['run', 'doi:10.5072/FK2/ALONE', '--server', dataverse.url, '--to', join(home.folder, 'alone'), '--json']
  let kills = 0
  for (let before = -1; before < ALONE; kills++) {
    const { child, ended } = home.start(args)
    await Promise.race([ended, receivedMore(before + 16 * MIB)])
    const { bytes } = await dataverse.counters(500)
    child.kill('SIGKILL')
    if ((await ended).code === 0) break
    expect(bytes).toBeGreaterThan(before)
    before = bytes
  }
  expect((await home.run(args)).code).toBe(0)
  expect(kills).toBeGreaterThan(3)
  expect((await dataverse.counters(500)).bytes).toBeLessThan(ALONE + kills * LOST_PER_KILL)
})

test('a file in segments that is in flight at each kill fetches at most 64 MiB again for it, and is counted once', async () => {
  await dataverse.set({ chaos: null, bytesPerSecond: 24 * MIB })
  const to = join(home.folder, 'segmented')
  const args = ['run', 'doi:10.5072/FK2/SEGMENTED', '--server', dataverse.url, '--to', to, '--json']
  let kills = 0
  for (let before = 0; kills < 3; kills++) {
    const { child, ended } = home.start(args)
    // Uneven steps, so that the kill comes at another place of the pieces each time.
    await Promise.race([ended, receivedMore(before + (110 + 17 * kills) * MIB, 600)])
    child.kill('SIGKILL')
    if ((await ended).code === 0) break
    before = (await dataverse.counters(600)).bytes
    await expectNothingPartial(to, 'doi-10.5072-FK2-SEGMENTED')
  }
  expect((await home.run(args)).code).toBe(0)
  expect(kills).toBe(3)
  const { bytes, counted } = await dataverse.counters(600)
  expect(bytes).toBeLessThan(SEGMENTED + kills * SEGMENTS_LOST_PER_KILL + 8 * MIB)
  expect(counted).toBe(1)
})

/** Resolves when the server has sent so many bytes of a large file. */
async function receivedMore(bytes: number, file = 500): Promise<void> {
  while ((await dataverse.counters(file)).bytes < bytes) await sleep(50)
}
