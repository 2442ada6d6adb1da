import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ADDRESSING, type Addressing } from '../../src/proof/ocfl/inventory.ts'
import { LAYOUT_NAMES } from '../../src/proof/ocfl/layout.ts'
import { itWithMounts, PRIVATE_MOUNTS } from '../mounts.ts'
import { nodeProgram } from '../node-program.ts'
import { addVersion } from './ocfl/add-version.ts'
import { judgeRoot } from './ocfl/judge-root.ts'
import { useStorageRoot } from './ocfl/use-storage-root.ts'
import { ID } from './ocfl-history.ts'
import { hasPython } from './validators.ts'

const WRITER = fileURLToPath(new URL('ocfl-writer.child.ts', import.meta.url))

const home = useStorageRoot()

const OTHER = 'doi:10.5072/FK2/OTHER'

async function add(pid: string, n: number, layout: string, algorithm: Addressing): Promise<void> {
  const contents = {
    'same.csv': 'one',
    'Grüße 100%.txt': n % 2 === 0 ? 'even' : 'odd',
    [`raw/${n}.csv`]: String(n),
    ...(n % 3 === 0 && { 'empty.txt': '' }),
  }
  const metadata = { 'dataset.json': `{"version":${n}}` }
  await addVersion(await home.open(layout), { pid, number: `${n}.0`, contents, metadata }, { algorithm })
}

describe.skipIf(!hasPython)('validators of other people', () => {
  it.each(LAYOUT_NAMES.flatMap((name) => ADDRESSING.map((algorithm) => [name, algorithm] as const)))(
    'a storage root with layout %s and %s is valid after 1, 5 and 20 versions',
    async (name, algorithm) => {
      for (let n = 1; n <= 20; n++) {
        await add(ID, n, name, algorithm)
        if (n === 3) await add(OTHER, 1, name, algorithm)
        if ([1, 5, 20].includes(n)) expect(await judgeRoot(home.path)).toHaveLength(n < 3 ? 1 : 2)
      }
    },
  )

  it('killed at any moment, the object is valid at the head it had, and the next run goes on', async () => {
    let head = 0
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [...nodeProgram(WRITER), home.path, String(head + 1)])
      const exit = once(child, 'exit')
      const lines: string[] = []
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
      await once(child.stdout, 'data')
      await setTimeout(Math.random() * 200)
      child.kill('SIGKILL')
      await exit
      head = Math.max(head, ...lines.map((line) => Number(line.split(' ')[0])))
      // Whoever writes next puts right what the kill left, whatever it writes.
      await home.open()
      expect(await judgeRoot(home.path)).toHaveLength(head === 0 ? 0 : 1)
    }
    expect(head).toBeGreaterThanOrEqual(12)
  })
})

itWithMounts('a storage root that has become read-only is said to be so', async () => {
  const writer = (from: number): string =>
    [process.execPath, ...nodeProgram(WRITER), home.path, String(from)].map((word) => `'${word}'`).join(' ')
  const steps = `mount -t tmpfs none ${home.folder} && ${writer(1)} | head -n 1 && mount -o remount,ro ${home.folder} && ${writer(2)}`
  const child = spawn('unshare', [...PRIVATE_MOUNTS.slice(1), steps], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(child, 'close')
  expect(said).toContain('EROFS: read-only file system')
  expect(said).toContain('SINK_DENIED')
})
