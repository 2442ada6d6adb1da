import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADDRESSING } from '../../src/proof/ocfl/inventory.ts'
import { LAYOUT_NAMES, layoutNamed, type Layout } from '../../src/proof/ocfl/layout.ts'
import { openStorageRoot } from '../../src/proof/ocfl/storage-root.ts'
import { writeVersion } from '../../src/proof/ocfl/write-version.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { diskTree } from '../../src/proof/tree.ts'
import { nodeProgram } from '../node-program.ts'
import { validated } from './ocfl/object-draft.ts'
import { held, NOW } from './held.ts'
import { ID } from './ocfl-history.ts'
import { hasPython, hasRocfl, python, rocfl } from './validators.ts'

const WRITER = fileURLToPath(new URL('ocfl-writer.child.ts', import.meta.url))

let folder: string
let root: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-ocfl-'))
  root = join(folder, 'root')
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const signal = new AbortController().signal

const OTHER = 'doi:10.5072/FK2/OTHER'

function layoutOf(name: string): Layout {
  const layout = layoutNamed(name)
  if (!layout) throw new Error(`no layout ${name}`)
  return layout
}

async function add(pid: string, n: number, name: string, algorithm: 'sha512' | 'sha256'): Promise<void> {
  const layout = layoutOf(name)
  const { holding, read } = held({
    'same.csv': 'one',
    'Grüße 100%.txt': n % 2 === 0 ? 'even' : 'odd',
    [`raw/${n}.csv`]: String(n),
    ...(n % 3 === 0 && { 'empty.txt': '' }),
  })
  const dataset = { pid, server: 'https://demo.dataverse.org', number: `${n}.0`, releasedAt: '2026-01-02T03:04:05Z' }
  const metadata = new Map([['dataset.json', Buffer.from(`{"version":${n}}`)]])
  const options = { algorithm, user: { name: 'An Archive', address: 'mailto:a@example.org' }, now: NOW, signal }
  const opened = await openStorageRoot({ sink: diskSink(root), folder: '', layout, signal })
  await writeVersion(opened, { holding: { ...holding, dataset }, metadata, read, onFile: () => undefined }, options)
}

/** By ocfl-py, which knows no layout 0004 and then judges the objects alone, and by rocfl where it could be built. */
async function validate(name = '0004'): Promise<void> {
  const { objects, layout } = await openStorageRoot({ sink: diskSink(root), folder: '', signal })
  const paths: string[] = []
  for (const id of [ID, OTHER]) {
    const path = layout.pathOf(id)
    if ((await objects.list(path)).length > 0) paths.push(join(root, path))
  }
  const judged = await python('ocfl-validate.py', ...paths, ...(name === '0004' ? [] : [root]))
  expect(judged.code, judged.text).toBe(0)
  const ours = await validated(diskTree(root), 'root')
  expect(ours.findings.filter(({ level }) => level === 'error')).toEqual([])
  expect(ours.objects).toBe(paths.length)
  if (!hasRocfl) return
  const second = await rocfl('-r', root, 'validate')
  expect(second.code, second.text).toBe(0)
}

describe.skipIf(!hasPython)('validators of other people', () => {
  it.each(LAYOUT_NAMES.flatMap((name) => ADDRESSING.map((algorithm) => [name, algorithm] as const)))(
    'a storage root with layout %s and %s is valid after 1, 5 and 20 versions',
    async (name, algorithm) => {
      for (let n = 1; n <= 20; n++) {
        await add(ID, n, name, algorithm)
        if (n === 3) await add(OTHER, 1, name, algorithm)
        if ([1, 5, 20].includes(n)) await validate(name)
      }
    },
  )

  it('killed at any moment, the object is valid at the head it had, and the next run goes on', async () => {
    let head = 0
    for (let round = 0; round < 12; round++) {
      const child = spawn(process.execPath, [...nodeProgram(WRITER), root, String(head + 1)])
      const exit = once(child, 'exit')
      const lines: string[] = []
      createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
      await once(child.stdout, 'data')
      await setTimeout(Math.random() * 200)
      child.kill('SIGKILL')
      await exit
      head = Math.max(head, ...lines.map((line) => Number(line.split(' ')[0])))
      await validate()
    }
    expect(head).toBeGreaterThanOrEqual(12)
  })
})
