import { mkdir, readdir, rename, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { useDataverse, useHome } from './use-home.ts'

const home = useHome()
const dataverse = useDataverse({
  world: { datasets: [{ pid: 'doi:10.5072/FK2/ONE', files: [{ id: 1, label: 'a.txt', content: 'alpha' }] }] },
})

test('a disk that is not mounted at the next run is asked about, and nothing is written where it should be', async () => {
  const to = join(home.folder, 'disk')
  const run = (...more: string[]) => home.run(['run', '1', '--server', dataverse.url, '--to', to, ...more])
  expect((await run()).code).toBe(0)

  await rename(to, `${to}-unmounted`)
  await mkdir(to)
  for (const args of [
    ['run', '1', '--server', dataverse.url, '--to', to],
    ['enqueue', '1', '--server', dataverse.url, '--to', to],
  ]) {
    const { code, stderr } = await home.run(args)
    expect(code).toBe(3)
    expect(stderr).toContain('is its disk mounted?')
    expect(stderr).toContain('--new')
    expect(stderr).not.toContain('    at ')
  }
  const resumed = await home.run(['resume', to])
  expect(resumed.code).toBe(3)
  expect(resumed.stderr).toContain('mounted')
  expect(await readdir(to)).toEqual([])

  expect((await run('--new')).code).toBe(0)
  expect(await readdir(to)).toContain('.dataferry')
  await rename(to, `${to}-anew`)
  await rename(`${to}-unmounted`, to)
  const { code, stdout } = await run()
  expect(code).toBe(0)
  expect(stdout).toContain('is there')
})

test('a failed file is not taken for tried again where its destination is not mounted', async () => {
  const to = join(home.folder, 'failing')
  expect((await home.run(['run', '404', '--server', dataverse.url, '--to', to])).code).toBe(1)
  await rename(to, `${to}-unmounted`)
  await mkdir(to)
  const { code, stderr } = await home.run(['retry', '--server', dataverse.url])
  expect(code).toBe(3)
  expect(stderr).toContain('is its disk mounted?')
  await rmdir(to)
})

test('a destination that cannot be written is said in one sentence before anything is fetched', async () => {
  const file = join(home.folder, 'a-file')
  await writeFile(file, '')
  for (const [to, words] of [
    ['/sys/kernel/nowhere', 'has no permission for'],
    [join(file, 'below'), 'not a folder'],
  ] as const) {
    const { code, stderr } = await home.run(['run', '1', '--server', dataverse.url, '--to', to])
    expect(stderr).toContain(words)
    expect(code).toBe(3)
    expect(stderr).not.toContain('    at ')
  }
})

test('a limit of open files that is too low is said in one sentence, before it can do harm', async () => {
  const limited = ['bash', '-c', 'ulimit -n 64; exec "$@"', 'limited']
  const { code, stderr } = await home.start(['status'], {}, '', limited).ended
  expect(code).toBe(3)
  expect(stderr).toMatch(/^dataferry: this process may open only 64 files.*ulimit -n 1024.*\n$/)
})
