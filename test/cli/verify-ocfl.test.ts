import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { layoutNamed } from '../../src/proof/ocfl/layout.ts'
import { rootOf } from '../proof/ocfl/object-draft.ts'
import { records } from '../e2e/cli.ts'
import { runInProcess, type Ended } from './in-process.ts'

const ID = 'doi:10.5072/FK2/A'
const PLACE = layoutNamed('0004')?.pathOf(ID) ?? ''

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'df-verify-'))
  for (const [path, content] of rootOf({ [PLACE]: ID }, '0004')) {
    await mkdir(dirname(join(cwd, 'root', path)), { recursive: true })
    await writeFile(join(cwd, 'root', path), content)
  }
})
afterEach(async () => {
  await rm(cwd, { recursive: true })
})

const verify = (...args: readonly string[]): Promise<Ended> => runInProcess(['verify', ...args], { cwd })

it('a storage root of OCFL is recognised, and validated by its own inventories', async () => {
  const ended = await verify(join(cwd, 'root'), '--json')
  expect(ended.code).toBe(0)
  expect(records(ended.stdout)).toEqual([
    expect.objectContaining({ event: 'ocfl-verified', kind: 'root', objects: 1, versions: 2, files: 2, errors: 0 }),
  ])
})

it('so is one object alone', async () => {
  const { code, stderr, stdout } = await verify(join(cwd, 'root', PLACE))
  expect(code).toBe(0)
  expect(stderr + stdout).toContain('valid by OCFL, 1 object, 2')
})

it('content that has changed is named with the code of the specification, and the command ends with 1', async () => {
  await writeFile(join(cwd, 'root', PLACE, 'v1/content/1.csv'), 'content X\n')
  const ended = await verify(join(cwd, 'root'), '--json')
  expect(ended.code).toBe(1)
  expect(records(ended.stdout)).toEqual([
    expect.objectContaining({
      event: 'ocfl-finding',
      level: 'error',
      code: 'E092',
      path: `${PLACE}/v1/content/1.csv`,
      message: expect.stringMatching(
        /^The content must be there.* Here: sha512 is [0-9a-f]{128}, and inventory\.json says /,
      ) as string,
    }),
    expect.objectContaining({ event: 'ocfl-verified', errors: 1 }),
  ])
  const quick = await verify(join(cwd, 'root'), '--quick')
  expect(quick.code).toBe(0)
  expect(quick.stdout + quick.stderr).toContain('not read')
})

it('a storage root that has lost its declaration, or has one that is not known, is told what it lacks', async () => {
  await rm(join(cwd, 'root', '0=ocfl_1.1'))
  const lost = await verify(join(cwd, 'root'))
  expect(lost.code).toBe(1)
  expect(lost.stdout).toMatch(/^E069 /m)
  await writeFile(join(cwd, 'root', '0=ocfl_2.0'), 'ocfl_2.0\n')
  expect((await verify(join(cwd, 'root'))).stdout).toMatch(/^E079 +0=ocfl_2\.0 /m)
})

it('a storage root is validated whatever layout it has, and where it says none', async () => {
  for (const layout of ['{"extension":"0006-flat-omit-prefix-storage-layout","description":""}', undefined]) {
    const file = join(cwd, 'root', 'ocfl_layout.json')
    await (layout === undefined ? rm(file) : writeFile(file, layout))
    const { code, stdout, stderr } = await verify(join(cwd, 'root'))
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining('valid by OCFL')])
  }
})

it('a layout whose settings are impossible is told from one that is not known', async () => {
  const config = join(cwd, 'root/extensions/0004-hashed-n-tuple-storage-layout/config.json')
  await writeFile(config, '{"extensionName":"0004-hashed-n-tuple-storage-layout","tupleSize":1000000000}')
  expect((await verify(join(cwd, 'root'))).stdout).toMatch(/whose config\.json is not as the extension says/)
})

it('what is only for files that were fetched is refused', async () => {
  const { code, stderr } = await verify(join(cwd, 'root'), '--wanted', join(cwd, 'again.csv'))
  expect(code).toBe(2)
  expect(stderr).toContain('--wanted is for what dataferry fetched')
})
