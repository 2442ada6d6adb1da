import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const FOLDER = 'doi-10.5072-FK2-A'
const FILE: FileSpec = { label: 'a.txt', content: 'alpha' }

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  const scope = ['--collection', 'climate', '--versions', 'all']
  expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
})
afterEach(() => home.close())

/** Deposits a file in so many versions. */
function deposit(file: FileSpec, versions: number): void {
  home.repository.deposit(A, [file], { collection: 'climate' })
  for (let n = 1; n < versions; n++) home.repository.publish(A, (files) => files)
}

async function status(): Promise<string> {
  return (await home.cli('mirror', 'status', 'm', '--to', home.destination, '--json')).stdout
}

describe('a file that is in two versions', () => {
  it('is in neither while a file of somebody else is where it was to come, however often that is tried', async () => {
    deposit(FILE, 2)
    await home.place.write(`${FOLDER}/v2.0/a.txt`, 'my own')
    for (let n = 0; n < 2; n++) {
      const { code, report } = await home.run()
      expect([code, report.files]).toMatchObject([1, { fetched: 0, linked: 0, missing: 2 }])
      expect(await home.files()).toEqual({ [`${FOLDER}/v2.0/a.txt`]: 'my own' })
    }
    await home.place.remove(`${FOLDER}/v2.0/a.txt`)
    expect((await home.run()).report).toMatchObject({ complete: true, files: { fetched: 1, linked: 1, missing: 0 } })
    expect(await home.files(FOLDER)).toEqual({ 'v1.0/a.txt': 'alpha', 'v2.0/a.txt': 'alpha' })
  })

  it('is missing in both for the same reason', async () => {
    deposit({ ...FILE, restricted: true }, 2)
    expect((await home.run()).code).toBe(1)
    const text = await status()
    expect(text.match(/"code":"SOURCE_DENIED"/g)).toHaveLength(2)
    expect(text).not.toContain('SINK_FAILED')
    expect((await home.run()).report.files).toMatchObject({ failed: 0, missing: 2 })
    const { report } = await home.run('--full')
    // Asked for again and refused again: nothing has changed.
    expect([report.files, report.datasets]).toMatchObject([{ fetched: 0, missing: 2 }, { unchanged: 1 }])
    const { stdout } = await home.cli('mirror', 'run', 'm', '--to', home.destination, '--full')
    expect(stdout).toContain('SOURCE_DENIED: The server does not let this user have the file')
    expect(stdout).toMatch(/\n +dataferry mirror run m --full --to \S+\n/)
  })

  it('does not replace a file of somebody else that has as many bytes', async () => {
    deposit(FILE, 1)
    await home.run()
    home.repository.publish(A, (files) => files)
    await home.place.write(`${FOLDER}/v2.0/a.txt`, 'MYOWN')
    const { code, report } = await home.run()
    expect([code, report['inTheWay']]).toEqual([0, [expect.stringContaining('in-the-way')]])
    expect(await home.files(FOLDER)).toEqual({ 'v1.0/a.txt': 'alpha', 'v2.0/a.txt': 'alpha' })
    expect(Object.values(await home.files('.dataferry/mirrors/m/superseded'))).toEqual(['MYOWN'])
  })
})
