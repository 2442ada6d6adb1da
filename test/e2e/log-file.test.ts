import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { useDataverse, useHome } from './use-home.ts'

const FILES = 5
const home = useHome()
const files = Array.from({ length: FILES }, (_, i) => ({ id: i + 1, label: `${i}.txt`, content: `file ${i}` }))
const dataverse = useDataverse({ world: { datasets: [{ pid: 'doi:10.5072/FK2/SOME', files }] } })

async function logOf(name: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(home.folder, name), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

const common = (): string[] => ['--server', dataverse.url, '--to', home.data]

test('a run’s log has begin and end of the batch and every ended item, and its screen stays as it is', async () => {
  const args = ['run', 'doi:10.5072/FK2/SOME', '404', ...common(), '--log-file', 'run.log']
  const { code, stderr, stdout } = await home.run(args)
  expect(code).toBe(1)
  expect(stderr + stdout).not.toContain('"level"')
  const log = await logOf('run.log')
  const told = (msg: string): Record<string, unknown>[] => log.filter((line) => line['msg'] === msg)
  expect(told('batch begins here')).toMatchObject([{ servers: [dataverse.url], entries: 2 }])
  const items = told('item ended')
  expect(items).toHaveLength(FILES + 1)
  expect(items).toContainEqual(
    expect.objectContaining({
      batch: expect.any(String) as string,
      state: 'done',
      path: 'doi-10.5072-FK2-SOME/1.txt',
      bytes: 6,
      verified: 'checksum',
      ms: expect.any(Number) as number,
    }),
  )
  expect(items).toContainEqual(expect.objectContaining({ state: 'failed', code: 'SOURCE_NOT_FOUND' }))
  expect(told('batch ended')).toMatchObject([{ planned: FILES + 1, done: FILES, kept: 0, failed: 1, complete: false }])
  expect(log.at(-1)).toMatchObject({ msg: 'command ended', command: 'run', code: 1 })
})

test('a disk that is full under the log never stops the run', async () => {
  const { code, stderr } = await home.run(['run', '1', ...common(), '--new', '--log-file', '/dev/full'])
  expect(code).toBe(0)
  expect(stderr.match(/Log lines are lost, as \/dev\/full cannot be written: ENOSPC/g)).toHaveLength(1)
})
