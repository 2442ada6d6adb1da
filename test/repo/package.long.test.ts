import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'

const run = promisify(execFile)
const PID = 'doi:10.5072/FK2/PACKED'

let dataverse: DataverseProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-packed-'))
  const small = Array.from({ length: 30 }, (_, i) => ({ id: i + 1, label: `${i}.txt`, content: `file ${i}` }))
  // So large that it is hashed on a thread, whose code is a file of its own.
  const large = { id: 31, label: 'large.bin', content: { size: 9_000_000, seed: 1 } }
  dataverse = await startDataverseProcess({ world: { datasets: [{ pid: PID, files: [...small, large] }] } })
})
afterAll(async () => {
  await dataverse.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

test('the packed program, installed alone into an empty folder, brings a batch home and verifies it', async () => {
  const packed = await run('npm', ['pack', '--json', '--pack-destination', folder])
  const tarball = /"filename": "([^"]+)"/.exec(packed.stdout)?.[1] ?? ''
  await writeFile(join(folder, 'package.json'), '{}')
  const install = ['install', '--omit=dev', '--no-audit', '--no-fund', '--prefer-offline', join(folder, tarball)]
  await run('npm', install, { cwd: folder })
  // Nothing that only our own work needs came along.
  expect(await readdir(join(folder, 'node_modules'))).not.toContain('typescript')

  const program = join(folder, 'node_modules/dataferry/dist/bin')
  expect(await readFile(join(program, 'THIRD-PARTY-LICENSES.txt'), 'utf8')).toMatch(/^zod [\d.]+ \(MIT\)$/m)

  const env = { ...process.env, DATAFERRY_STATE_DIR: join(folder, 'state'), DATAFERRY_PREFIX: `{${basename(folder)}}` }
  const dataferry = (...args: string[]) => run(join(folder, 'node_modules/.bin/dataferry'), args, { cwd: folder, env })
  await dataferry('run', PID, '--server', dataverse.url, '--to', 'data')
  expect(await readFile(join(folder, 'data/doi-10.5072-FK2-PACKED/7.txt'), 'utf8')).toBe('file 7')
  expect((await dataferry('verify', 'data', '--json')).stdout).toContain('"ok":31')
  // What is loaded only where it is used has its names in the bundled program, too.
  await writeFile(join(folder, 'answers.yaml'), 'name: Ada\n')
  await dataferry('plan', PID, '--server', dataverse.url, '--to', 'planned', '--guestbook', 'answers.yaml')
})
