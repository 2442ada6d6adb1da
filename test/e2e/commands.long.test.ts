import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { records, type Started } from './cli.ts'
import { useDataverse, useHome } from './use-home.ts'

const home = useHome()
const dataverse = useDataverse({
  world: {
    datasets: [
      {
        pid: 'doi:10.5072/FK2/ONE',
        files: [
          { id: 1, label: 'a.txt', content: 'alpha' },
          { id: 2, label: 'empty.txt', content: '' },
          { id: 3, label: 'b.txt', directory: 'sub', content: 'beta', checksum: 'SHA-256' },
          { id: 4, label: 'large.bin', content: { size: 40_000_000, seed: 4 } },
        ],
      },
      {
        pid: 'doi:10.5072/FK2/ODD',
        files: [
          { id: 20, label: 'unmeasured.txt', content: 'not empty', statedSize: 0, checksum: null },
          { id: 21, label: 'unsummed.txt', content: 'no sum', checksum: null },
        ],
      },
      { pid: 'doi:10.5072/FK2/TWO', files: [{ id: 9, label: 'secret.txt', content: 'x', restricted: true }] },
    ],
  },
})

const to = (name: string): string => join(home.folder, name)

test('a manifest of a file id, a dataset and a page address brings each file once', async () => {
  const manifest = to('list.txt')
  await writeFile(manifest, `# mine\n1\ndoi:10.5072/FK2/ONE\n${dataverse.url}/file.xhtml?fileId=3\n`)
  const { code, stdout } = await home.run([manifest, '--server', dataverse.url, '--to', to('each'), '--json'])
  expect(code).toBe(0)
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  expect(summary).toMatchObject({ planned: 4, done: 4, duplicates: 2, complete: true })
  expect(await readFile(join(to('each'), 'doi-10.5072-FK2-ONE', 'sub', 'b.txt'), 'utf8')).toBe('beta')
})

test('run again, everything is found there and nothing is fetched', async () => {
  const before = (await dataverse.totals()).requests
  const args = ['run', to('list.txt'), '--server', dataverse.url, '--to', to('each'), '--json']
  const { code, stdout } = await home.run(args)
  expect(code).toBe(0)
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  expect(summary).toMatchObject({ planned: 4, done: 0, kept: 4, verified: { checksum: 4 } })
  const requests = await dataverse.requests(before)
  expect(requests.filter(({ url }) => url.includes('/access/'))).toEqual([])
})

test('a bad line is named with its number before any server is asked', async () => {
  const manifest = to('bad.csv')
  await writeFile(manifest, 'id,md5\n1,\n2,nothex\nhttps://elsewhere.example/dataset.xhtml?persistentId=doi:10.1/x,\n')
  const before = (await dataverse.totals()).requests
  const { code, stderr } = await home.run(['run', manifest, '--server', dataverse.url, '--to', to('none')])
  expect(code).toBe(2)
  expect(stderr).toContain('bad.csv:3:')
  expect(stderr).toContain('bad.csv:4:')
  expect(stderr).not.toContain('    at ')
  expect((await dataverse.totals()).requests).toBe(before)
  await expect(readdir(to('none'))).rejects.toThrow()
})

test('a manifest on standard input is planned without a download by --dry-run, and carried out by the same command', async () => {
  const args = ['run', '-', '--server', dataverse.url, '--to', to('stdin')]
  const dry = await home.run([...args, '--dry-run', '--json'], {}, 'doi:10.5072/FK2/ONE\n')
  expect(dry.code).toBe(0)
  expect(records(dry.stdout)[0]).toMatchObject({ event: 'plan', items: 4, size: 40_000_009, complete: true })
  expect(await readdir(to('stdin'))).toEqual(['.dataferry'])
  const real = await home.run([...args, '--json'], {}, 'doi:10.5072/FK2/ONE\n')
  expect(real.code).toBe(0)
  expect((await readdir(join(to('stdin'), '.dataferry'))).filter((name) => name.startsWith('batch-'))).toHaveLength(1)
})

test('what could not be had makes exit code 1, and failures.csv is a manifest for it', async () => {
  const { code, stdout } = await home.run(['run', '9', '--server', dataverse.url, '--to', to('denied')])
  expect(code).toBe(1)
  expect(stdout).toContain('SOURCE_DENIED')
  const [batch = ''] = await readdir(join(to('denied'), '.dataferry')).then((all) =>
    all.filter((name) => name !== 'parts'),
  )
  const failures = join(to('denied'), '.dataferry', batch, 'failures.csv')
  const again = await home.run(['plan', failures, '--server', dataverse.url, '--to', to('again'), '--json'])
  expect(again.code).toBe(0)
  expect(records(again.stdout)[0]).toMatchObject({ items: 1 })
})

test('a file that is listed as empty, without a checksum, is fetched whatever its size', async () => {
  const { code, stdout } = await home.run(['run', '20', '--server', dataverse.url, '--to', to('unmeasured'), '--json'])
  expect(code).toBe(0)
  expect(records(stdout).find(({ event }) => event === 'summary')).toMatchObject({ done: 1, bytes: 9 })
})

test('a checksum that only the manifest gives is compared with the bytes once, and the manifest is blamed', async () => {
  const manifest = to('own.csv')
  await writeFile(manifest, `id,md5\n21,${'0'.repeat(32)}\n`)
  const before = (await dataverse.totals()).requests
  const { code, stdout } = await home.run(['run', manifest, '--server', dataverse.url, '--to', to('own')])
  expect(code).toBe(1)
  expect(stdout).toContain('MANIFEST_MISMATCH')
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(`the manifest says md5 ${'0'.repeat(32)}`)
  const fetched = (await dataverse.requests(before)).filter(({ url }) => url.includes('/access/datafile/21'))
  expect(fetched).toHaveLength(1)
})

test('verify tells missing, changed and extra files apart', async () => {
  const folder = join(to('each'), 'doi-10.5072-FK2-ONE')
  await writeFile(join(folder, 'a.txt'), 'alphb')
  await writeFile(join(folder, 'extra.txt'), '?')
  const { code, stdout } = await home.run(['verify', to('each'), '--json'])
  expect(code).toBe(1)
  const findings = records(stdout).filter(({ event }) => event === 'finding')
  expect(findings.map(({ state, path }) => `${String(state)} ${String(path)}`).sort()).toEqual([
    'changed doi-10.5072-FK2-ONE/a.txt',
    'extra doi-10.5072-FK2-ONE/extra.txt',
  ])
})

test('verify writes a manifest of what is missing or changed, and run with it makes everything right again', async () => {
  const data = to('mended')
  const args = ['--server', dataverse.url, '--to', data]
  expect((await home.run(['run', to('list.txt'), ...args])).code).toBe(0)
  const again = to('again.csv')
  expect((await home.run(['verify', data, '--wanted', again])).code).toBe(0)
  await expect(readFile(again)).rejects.toThrow()
  const folder = join(data, 'doi-10.5072-FK2-ONE')
  await writeFile(join(folder, 'a.txt'), 'alphb')
  await rm(join(folder, 'sub', 'b.txt'))
  const found = await home.run(['verify', data, '--wanted', again])
  expect(found.code).toBe(1)
  expect(found.stdout).toContain(`dataferry run ${again} --to ${data} -e overwrite-different`)
  const refused = await home.run(['verify', data, '--wanted', again])
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('it already exists')

  const { code, stdout } = await home.run(['run', again, ...args, '-e', 'overwrite-different', '--json'])
  expect(code).toBe(0)
  const [summary] = records(stdout).filter(({ event }) => event === 'summary')
  expect(summary).toMatchObject({ planned: 2, done: 2, complete: true })
  expect(await readFile(join(folder, 'a.txt'), 'utf8')).toBe('alpha')
  expect(await readFile(join(folder, 'sub', 'b.txt'), 'utf8')).toBe('beta')
  expect((await home.run(['verify', data])).code).toBe(0)
})

test('a different file in the way fails its item and is not touched, unless told otherwise', async () => {
  const args = ['run', to('list.txt'), '--server', dataverse.url, '--to', to('each')]
  const refused = await home.run(args)
  expect(refused.code).toBe(1)
  expect(refused.stdout).toContain('SINK_EXISTS')
  const path = join(to('each'), 'doi-10.5072-FK2-ONE', 'a.txt')
  expect(await readFile(path, 'utf8')).toBe('alphb')
  expect((await home.run([...args, '-e', 'overwrite-different'])).code).toBe(0)
  expect(await readFile(path, 'utf8')).toBe('alpha')
})

/** Presses Ctrl-C when the progress says that bytes have come, and not again. */
function stopOnceBytesCame({ child }: Started): void {
  const look = (text: string): void => {
    if (!/"bytes":[1-9]/.test(text)) return
    child.stdout?.off('data', look)
    child.kill('SIGINT')
  }
  child.stdout?.on('data', look)
}

test('Ctrl-C parks what is in flight, says how to go on, and the same command goes on at the byte', async () => {
  await dataverse.set({ bytesPerSecond: 8_000_000 })
  await mkdir(to('parked'), { recursive: true })
  const args = ['run', '4', '--server', dataverse.url, '--to', to('parked'), '--json']
  const running = home.start(args)
  stopOnceBytesCame(running)
  const stopped = await running.ended
  expect(stopped.code).toBe(130)
  expect(stopped.stderr).toContain('Parked. The same command continues where it stopped; so does:\n  dataferry resume ')
  await dataverse.set({ bytesPerSecond: 0 })
  const { code, stdout } = await home.run(args)
  expect(code).toBe(0)
  const [item] = records(stdout).filter(({ event }) => event === 'item')
  expect(item).toMatchObject({ state: 'done', verified: 'checksum' })
  expect(Number(item?.['resumedFrom'])).toBeGreaterThan(0)
})

test('run touches no batch but its own, and its own can be taken up by the workers', async () => {
  await dataverse.set({ bytesPerSecond: 8_000_000 })
  const run = (file: string, name: string, ...more: string[]) =>
    home.start(['run', file, '--server', dataverse.url, '--to', to(name), '--json', ...more])
  const first = run('4', 'left')
  stopOnceBytesCame(first)
  expect((await first.ended).code).toBe(130)
  await dataverse.set({ bytesPerSecond: 0 })
  const status = await home.run(['status', '--json'])
  const open = records(status.stdout).find(({ event, state }) => event === 'batch' && state === 'parked')
  const id = String(open?.['id'])

  const other = await run('1', 'named').ended
  expect(other.code).toBe(0)
  expect(other.stdout + other.stderr).not.toContain(id)
  const parked = records((await home.run(['status', id, '--json'])).stdout)
  expect(parked).toContainEqual(expect.objectContaining({ event: 'batch', id, state: 'parked', open: 1, active: 0 }))

  expect((await home.run(['resume', to('left'), '--enqueue', '--server', dataverse.url])).code).toBe(0)
  const worker = await home.run(['work', '--until-done', '--processes', '1', '--server', dataverse.url])
  expect(worker.code).toBe(0)
  const done = records((await home.run(['status', id, '--json'])).stdout)
  expect(done).toContainEqual(expect.objectContaining({ event: 'batch', id, state: 'finished', done: 1 }))
})

test('a second command for the same batch ends with 3 and names the first one', async () => {
  await dataverse.set({ bytesPerSecond: 2_000_000 })
  const args = ['run', '4', '--server', dataverse.url, '--to', to('owned'), '--json']
  const first = home.start(args)
  await new Promise<void>((resolve) => {
    first.child.stdout?.on('data', (text: string) => {
      if (/"bytes":[1-9]/.test(text)) resolve()
    })
  })
  const second = await home.run(args)
  expect(second.code).toBe(3)
  expect(second.stderr).toContain(`Process ${first.child.pid ?? ''} on`)
  first.child.kill('SIGKILL')
  await first.ended
  await dataverse.set({ bytesPerSecond: 0 })
  expect((await home.run(args)).code).toBe(0)
})

test('status names what needs somebody first and finished batches with --all; forget drops one from Redis alone', async () => {
  const args = ['run', '1', '--server', dataverse.url, '--to', to('forgotten')]
  expect((await home.run(args)).code).toBe(0)
  const all = records((await home.run(['status', '--json'])).stdout).filter(({ event }) => event === 'batch')
  const id = String(all.find(({ destination }) => destination === `file://${to('forgotten')}`)?.['id'])
  const brief = await home.run(['status'])
  expect(brief.stdout).not.toContain(id)
  expect(brief.stdout).toMatch(/finished batch(?:es)?: dataferry status --all/)
  expect((await home.run(['status', '--all'])).stdout).toContain(id)

  const forgotten = await home.run(['forget', id.slice(-6)])
  expect(forgotten.code).toBe(0)
  expect(forgotten.stdout).toContain(`${id} is forgotten. Its files and records stay at ${to('forgotten')}.`)
  expect((await home.run(['status', '--all'])).stdout).not.toContain(id)
  expect((await home.run(['verify', to('forgotten')])).code).toBe(0)
  expect((await home.run(['forget', id])).code).not.toBe(0)
})

test('a rejected token stops the run with exit code 3 and names what to do', async () => {
  const args = ['run', '1', '--server', dataverse.url, '--to', to('token')]
  const { code, stderr } = await home.run(args, { DATAVERSE_API_TOKEN: 'expired-0000' })
  expect(code).toBe(3)
  expect(stderr).toContain('DATAVERSE_API_TOKEN')
  expect(stderr).not.toContain('expired-0000')
})

test('without a Redis binary the error names the command that installs one', async () => {
  const { code, stderr } = await home.run(['run', '1', '--server', dataverse.url, '--to', to('redis')], {
    PATH: '/nonexistent',
    REDIS_URL: '',
    DATAFERRY_STATE_DIR: to('other-state'),
  })
  expect(code).toBe(3)
  expect(stderr).toMatch(/install/)
})
