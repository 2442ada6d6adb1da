import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { RequestRecord } from '../fakes/dataverse/records.ts'
import type { WorldJson } from '../fakes/dataverse/world-json.ts'
import { records } from './cli.ts'
import { useDataverse, useHome } from './use-home.ts'
import { expectNothingPartial } from './whole-files.ts'

const PID = 'doi:10.5072/FK2/BUNDLES'
const FOLDER = 'doi-10.5072-FK2-BUNDLES'
const SMALL = 1_200
const KILLS = 10
const WITHHELD = 3

const world: WorldJson = {
  datasets: [
    {
      pid: PID,
      files: [
        { id: 100, label: 'large.bin', content: { size: 20 << 20, seed: 1 } },
        ...Array.from({ length: SMALL }, (_, i) => ({
          id: 1000 + i,
          label: `small-${i}.bin`,
          directory: `folder-${i % 7}`,
          content: { size: (i * 977) % 30_000, seed: 100 + i },
          checksum: (['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const)[i % 4] ?? 'MD5',
          ...(i % 500 === 77 && { restricted: true }),
        })),
      ],
    },
  ],
}

const home = useHome()
const dataverse = useDataverse({
  world,
  bytesPerSecond: 2 << 20,
  latencyMs: 30,
  chaos: { seed: 3, probability: 0.1, perFile: 2, kinds: ['cut', 'reset', '500', '503', 'flip', 'early-end'] },
})

test('with --bundle a command that is killed again and again ends with every file right and once', async () => {
  // Archives are no file's requests, so that chaos does not meet them: some break off, and some are refused.
  await dataverse.fault({
    path: '/access/datafiles/',
    steps: [
      { kind: 'fine' },
      { kind: 'early-end', after: 300_000 },
      { kind: 'fine' },
      { kind: 'status', status: 429, body: 'json' },
      { kind: 'cut', after: 500_000 },
      { kind: 'fine' },
      { kind: 'status', status: 500, body: 'json' },
    ],
  })
  const args = ['run', PID, '--server', dataverse.url, '--to', home.data, '--bundle', 'auto', '--json']
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, ended } = home.start(args)
    // The first one dies in the middle of a bundle; later ones wherever they are.
    if (kill === 0) await vi.waitUntil(async () => (await zips()).length > 0, { timeout: 120_000 })
    else await Promise.race([ended, sleep(600 + ((kill * 617) % 1_200))])
    child.kill('SIGKILL')
    await ended
    await expectNothingPartial(home.data, FOLDER)
  }
  const { code, stdout, stderr } = await home.run(args)
  expect(stderr).not.toContain('dataferry:')
  expect(code).toBe(1)
  const all = SMALL + 1
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  expect(summary).toMatchObject({ planned: all, missing: 0, failed: WITHHELD, failures: { SOURCE_DENIED: WITHHELD } })
  expect(summary).toMatchObject({ verified: { checksum: all - WITHHELD } })
  const items = records(stdout).filter(({ event }) => event === 'item')
  expect(new Set(items.map(({ n }) => n)).size).toBe(all)
  expect(items.length).toBe(all)
  expect((await expectNothingPartial(home.data, FOLDER)).length).toBe(all - WITHHELD)
  // Those that the server withholds were planned and never came; all others are right.
  const verified = await home.run(['verify', home.data, '--json'])
  expect(verified.code).toBe(1)
  const [counts] = records(verified.stdout).filter(({ event }) => event === 'verified')
  expect(counts).toMatchObject({ ok: all - WITHHELD, missing: 0, changed: 0, unfetched: WITHHELD })
  expect(await readdir(join(home.data, '.dataferry', 'parts')).catch(() => [])).toEqual([])
})

async function zips(): Promise<readonly RequestRecord[]> {
  return (await dataverse.requests()).filter(({ url }) => url.includes('/access/datafiles/'))
}
