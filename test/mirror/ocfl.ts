import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newOwner } from '../../src/process/process-identity.ts'
import { datasetVersionOf, readInventory, type Inventory } from '../../src/proof/ocfl/inventory.ts'
import { usualLayout } from '../../src/proof/ocfl/layout.ts'
import { rootOf } from '../../src/proof/ocfl/mirror-objects.ts'
import { unfinishedPath } from '../../src/proof/ocfl/stored-objects.ts'
import { judgeRoot } from '../proof/ocfl/judge-root.ts'
import { deadProcess } from '../sinks/disk/dead-process.ts'
import { file } from './file.ts'
import type { MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const B = 'doi:10.5072/FK2/B'
const ROOT = rootOf({ name: 'm' })

function objectOf(pid: string): string {
  return `${ROOT}/${usualLayout().pathOf(pid)}`
}

/** The object of a dataset, and its files, as any other program would read them. */
export class StoredObject {
  readonly inventory: Inventory
  readonly #files: Readonly<Record<string, string>>

  private constructor(inventory: Inventory, files: Readonly<Record<string, string>>) {
    this.inventory = inventory
    this.#files = files
  }

  static async of(home: MirrorHome, pid: string): Promise<StoredObject | undefined> {
    const files = await home.files(objectOf(pid))
    const inventory = readInventory(Buffer.from(files['inventory.json'] ?? ''))
    return inventory && new StoredObject(inventory, files)
  }

  /** The files that a version of the dataset has, as it was last taken; undefined: there is none. */
  version(number: string): Record<string, string> | undefined {
    const names = Object.keys(this.inventory.versions).sort((a, b) => Number(b.slice(1)) - Number(a.slice(1)))
    const name = names.find((one) => this.#number(one) === number)
    return name === undefined ? undefined : this.files(name)
  }

  get head(): string | undefined {
    return this.#number(this.inventory.head)
  }

  /** Without the metadata. */
  files(version: string): Record<string, string> {
    const { manifest, versions, digestAlgorithm } = this.inventory
    const found: Record<string, string> = {}
    for (const [digest, paths] of Object.entries(versions[version]?.state ?? {})) {
      const bytes = this.#files[manifest[digest]?.[0] ?? ''] ?? ''
      expect(createHash(digestAlgorithm).update(bytes).digest('hex')).toBe(digest)
      for (const path of paths) if (!path.startsWith('.dataverse/')) found[path] = bytes
    }
    return found
  }

  #number(version: string): string | undefined {
    const found = this.inventory.versions[version]
    return found && datasetVersionOf(found)
  }
}

/** Has everybody judge the storage root of the mirror; that in a bucket is copied to a folder. */
export async function expectValid(home: MirrorHome): Promise<void> {
  const files = await home.files(ROOT)
  // It comes last of a root, before any object.
  if (files['0=ocfl_1.1'] === undefined) {
    expect(Object.keys(files).filter((path) => path.endsWith('/0=ocfl_object_1.1'))).toEqual([])
    return
  }
  if (!home.destination.startsWith('s3:')) {
    await judgeRoot(join(home.destination, ROOT))
    return
  }
  const copy = join(home.folder, 'copy')
  await rm(copy, { recursive: true, force: true })
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(copy, path)), { recursive: true })
    await writeFile(join(copy, path), content)
  }
  await judgeRoot(copy)
}

/** What a mirror with `--layout ocfl` promises wherever it is kept. */
export function describeOcflMirror(on: string, homeOf: () => Promise<MirrorHome>): void {
  describe(`a mirror of objects ${on}`, () => {
    let home: MirrorHome
    let to: readonly string[]
    beforeEach(async () => {
      home = await homeOf()
      to = ['--to', home.destination]
      home.repository.deposit(A, [file('a.txt', 'alpha'), file('b.txt', 'beta', 'sub')], { collection: 'climate' })
      home.repository.deposit(B, [file('c.txt', 'gamma')], { collection: 'ice' })
    })
    afterEach(() => home.close())

    async function create(...more: readonly string[]): Promise<void> {
      const scope = ['--collection', 'climate', '--layout', 'ocfl', ...more]
      const { code, stderr } = await home.cli('mirror', 'create', 'm', ...to, ...scope)
      expect([code, stderr]).toEqual([0, ''])
    }

    async function stored(pid = A): Promise<StoredObject> {
      const found = await StoredObject.of(home, pid)
      if (!found) throw new Error(`no object of ${pid}`)
      return found
    }

    async function verified(): Promise<void> {
      const { code, stdout } = await home.cli('verify', home.destination)
      expect([code, stdout]).toEqual([0, expect.any(String)])
      await expectRoot(`${home.destination}/${ROOT}`)
    }

    /** By our own validator. */
    async function expectRoot(place: string): Promise<void> {
      const { code, stdout } = await home.cli('verify', place, '--json')
      expect([code, stdout]).toEqual([0, expect.stringMatching(/"event":"ocfl-verified".*"errors":0/)])
    }

    it('has an object for each dataset and a version for each release, nothing twice and nothing beside it', async () => {
      await create('--metadata', 'all', '--digest', 'sha256')
      const first = await home.run()
      expect([first.code, first.report.files['fetched']]).toEqual([0, 3])
      home.repository.publish(A, (files) => [
        ...files.slice(1).map((one) => ({ ...one, label: 'renamed.txt' })),
        file('n', 'new'),
      ])
      const second = await home.run()
      expect([second.code, second.report.files['fetched'], second.report.files['moved']]).toEqual([0, 1, 0])
      const object = await stored()
      expect([object.version('1.0'), object.version('2.0'), object.head]).toEqual([
        { 'a.txt': 'alpha', 'sub/b.txt': 'beta' },
        { 'sub/renamed.txt': 'beta', n: 'new' },
        '2.0',
      ])
      const { versions, head, fixity } = object.inventory
      expect(fixity?.['md5']?.[createHash('md5').update('new').digest('hex')]).toEqual(['v2/content/n'])
      const records = await home.files('.dataferry/mirrors/m/files')
      for (const text of Object.values(records)) expect(text).toMatch(/"digests":\[\{.*"algorithm":"sha512"/)
      expect(versions['v1']).toMatchObject({
        message: `Version 1.0 of ${A}, fetched from ${home.server.url} by dataferry`,
        user: { name: 'dataferry' },
      })
      for (const version of ['v1', head]) {
        const metadata = ['.dataverse/croissant-sha256.json', '.dataverse/datacite.xml']
        expect(Object.values(versions[version]?.state ?? {}).flat()).toEqual(expect.arrayContaining(metadata))
      }
      const beside = Object.keys(await home.files()).filter((path) => !path.startsWith(`${ROOT}/`))
      expect(beside).toEqual([])
      await expectValid(home)
      await verified()
      const again = await home.run('--full')
      expect([again.code, again.report.files['fetched']]).toEqual([0, 0])
      expect((await stored()).inventory.head).toBe(object.inventory.head)
    })

    it('with --versions all has every release in its order, bytes that are in several once', async () => {
      home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
      home.repository.publish(A, (files) => files.slice(1))
      await create('--versions', 'all')
      const { code, report } = await home.run()
      expect([code, report.files['fetched']]).toEqual([0, 4])
      const object = await stored()
      expect(['1.0', '2.0', '3.0'].map((number) => object.version(number))).toEqual([
        { 'a.txt': 'alpha', 'sub/b.txt': 'beta' },
        { 'a.txt': 'alpha', 'sub/b.txt': 'beta', 'new.txt': 'new' },
        { 'sub/b.txt': 'beta', 'new.txt': 'new' },
      ])
      expect(Object.keys(object.inventory.versions)).toEqual(['v1', 'v2', 'v3'])
      await expectValid(home)
      for (const upTo of [5, 20]) {
        for (let n = Object.keys((await stored()).inventory.versions).length; n < upTo; n++) {
          home.repository.publish(A, (files) => [
            ...files.slice(1),
            file(`${n % 7}.txt`, `${n % 5}`),
            file(`of ${n}`, ''),
          ])
        }
        expect((await home.run()).code).toBe(0)
        expect(Object.keys((await stored()).inventory.versions)).toHaveLength(upTo)
        await expectValid(home)
      }
      await verified()
    })

    it('keeps what was replaced as content of older versions: prune says so, and purge takes the object away', async () => {
      await create()
      await home.run()
      home.repository.publish(A, (files) => files.slice(1))
      expect((await home.run()).code).toBe(0)
      const pruned = await home.cli('mirror', 'prune', 'm', '--removed-for', '0d', '--yes', ...to)
      expect([pruned.code, pruned.stdout]).toEqual([0, expect.stringContaining('nothing to prune')])
      expect((await stored()).version('1.0')).toEqual({ 'a.txt': 'alpha', 'sub/b.txt': 'beta' })
      expect((await home.cli('mirror', 'purge', 'm', A, '--yes', ...to)).code).toBe(0)
      expect(Object.keys(await home.files(objectOf(A)))).toEqual([])
      for (const more of [[], ['--full']]) {
        expect((await home.run(...more)).report).toMatchObject({ states: { current: 1, purged: 1 } })
      }
      await expectValid(home)
      await verified()
    })

    it.each([
      ['latest', 'none'],
      ['all', 'none'],
      ['all', 'all'],
    ])(
      'a release that is withdrawn leaves the object as it is, and what is released then is its head (%s, metadata %s)',
      async (versions, metadata) => {
        await create('--versions', versions, '--metadata', metadata)
        await home.run()
        home.repository.publish(A, () => [file('wrong.txt', 'wrong')])
        await home.run()
        home.repository.deaccession(A, 'Wrong.', { number: '2.0' })
        expect((await home.run()).code).toBe(0)
        const object = await stored()
        expect([object.head, object.version('1.0'), object.version('2.0')]).toEqual([
          '1.0',
          { 'a.txt': 'alpha', 'sub/b.txt': 'beta' },
          { 'wrong.txt': 'wrong' },
        ])
        await expectValid(home)
        await verified()
      },
    )

    it('a file that may not be had is lacking in the version, which says so, and comes with one more', async () => {
      home.repository.publish(A, (files) => [...files, { ...file('late.txt', 'late'), store: 'missing' }])
      await create()
      expect((await home.run('--retries', '1')).code).toBe(1)
      const object = await stored()
      expect(object.version('2.0')).toEqual({ 'a.txt': 'alpha', 'sub/b.txt': 'beta' })
      expect(object.inventory.versions['v1']?.message).toContain(', without 1 file that could not be fetched')
      home.repository.updateCurrent(A, (files) => files.map((one) => ({ ...one, store: 'stream' })))
      expect((await home.run()).code).toBe(0)
      const whole = await stored()
      expect([whole.version('1.0'), whole.version('2.0')]).toEqual([
        undefined,
        { 'a.txt': 'alpha', 'sub/b.txt': 'beta', 'late.txt': 'late' },
      ])
      expect(whole.inventory.versions['v2']?.message).toMatch(/by dataferry$/)
      await expectValid(home)
    })

    it('an object that another program has touched is left alone and named, and the other datasets go on', async () => {
      await create()
      await home.run()
      await home.place.write(`${objectOf(A)}/v2/content/theirs.txt`, 'theirs')
      const before = await home.files(objectOf(A))
      home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
      home.repository.publish(B, (files) => [...files, file('more.txt', 'more')])
      for (let n = 0; n < 2; n++) {
        const { code, report } = await home.run()
        expect(code).toBe(1)
        expect(report['problems']).toEqual([expect.objectContaining({ dataset: A, code: 'OCFL_REFUSED' })])
      }
      expect(await home.files(objectOf(A))).toEqual(before)
      const status = await home.cli('mirror', 'status', 'm', ...to)
      const words = status.stdout.replaceAll(/\s+/g, ' ')
      expect(words).toContain('1 object could not be written')
      expect(words).toContain(`${A} The object of ${A} at ${usualLayout().pathOf(A)} is left as it is:`)
      expect(words).toContain(`dataferry mirror run m --to ${home.destination}`)
      const json = await home.cli('mirror', 'status', 'm', ...to, '--json')
      expect(json.stdout).toContain(`{"event":"unstored","dataset":"${A}","code":"OCFL_REFUSED"`)
      expect((await stored(B)).version('2.0')).toEqual({ 'c.txt': 'gamma', 'more.txt': 'more' })
      // What came is kept until the object can be written, and not fetched again.
      await home.place.remove(`${objectOf(A)}/v2/content/theirs.txt`)
      await removeEmptyFolder(home, `${objectOf(A)}/v2`)
      const { code, report } = await home.run()
      expect([code, report.files['fetched']]).toEqual([0, 0])
      expect((await stored()).version('2.0')).toEqual({ 'a.txt': 'alpha', 'sub/b.txt': 'beta', 'new.txt': 'new' })
      await expectValid(home)
      await verified()
    })

    it('no version is added to an object of which content has gone, until it is there again', async () => {
      await create()
      await home.run()
      const content = `${objectOf(A)}/v1/content/a.txt`
      await home.place.write(content, '')
      home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
      const { code, report } = await home.run()
      expect([code, report['problems']]).toEqual([1, [expect.objectContaining({ dataset: A, code: 'OCFL_REFUSED' })]])
      expect((await stored()).head).toBe('1.0')
      await home.place.write(content, 'alpha')
      expect((await home.run()).code).toBe(0)
      expect((await stored()).head).toBe('2.0')
      await verified()
    })

    it('verify names every kind of damage to an object', async () => {
      await create()
      await home.run()
      const object = await stored()
      const content = Object.values(object.inventory.manifest).flat()
      const at = (end: string): string => `${objectOf(A)}/${content.find((path) => path.endsWith(end)) ?? ''}`
      await home.place.write(at('a.txt'), 'alphA')
      await home.place.remove(at('b.txt'))
      await home.place.write(at('dataset.json'), '{}')
      await home.place.write(`${objectOf(B)}/v1/inventory.json`, '{}')
      await home.place.write(`${objectOf(B)}/v1/more.txt`, 'x')
      const { code, stdout } = await home.cli('verify', home.destination)
      expect([code, stdout]).toEqual([1, expect.stringContaining('1 missing, 3 changed, 1')])
      for (const [word, path] of [
        ['bit rot', at('a.txt')],
        ['missing', at('b.txt')],
        ['bit rot', at('dataset.json')],
        ['bit rot', `${objectOf(B)}/v1/inventory.json`],
        ['extra', `${objectOf(B)}/v1/more.txt`],
      ]) {
        expect(stdout).toMatch(new RegExp(`${word} +${path?.replaceAll(/[.=]/g, '\\$&') ?? ''}`))
      }
      const wanted = join(home.folder, 'again.csv')
      await home.place.remove(at('a.txt'))
      await home.cli('verify', home.destination, '--wanted', wanted)
      expect((await home.cli('run', wanted, ...to)).code).toBe(0)
      const rest = (await home.cli('verify', home.destination)).stdout
      expect(rest).toContain(at('dataset.json'))
      expect(rest).not.toMatch(/[ab]\.txt/)
    })

    it.each(['inventory.json', 'inventory.json.sha512', '0=ocfl_object_1.1'])(
      'verify names %s of an object where it is missing, and nothing else',
      async (name) => {
        await create()
        await home.run()
        await home.place.remove(`${objectOf(A)}/${name}`)
        const { code, stdout } = await home.cli('verify', home.destination)
        expect([code, stdout]).toEqual([1, expect.stringMatching(/ 1 missing$/m)])
        expect(stdout).toContain(`missing  ${objectOf(A)}/${name}\n`)
      },
    )

    it('verify names an object that is missing, and one whose inventory or sidecar was changed', async () => {
      await create()
      await home.run()
      const files = await home.files(objectOf(A))
      for (const path of Object.keys(files)) await home.place.remove(`${objectOf(A)}/${path}`)
      const inventory = `${objectOf(B)}/inventory.json`
      await home.place.write(inventory, `${(await home.files(objectOf(B)))['inventory.json'] ?? ''} `)
      await home.place.write(`${inventory}.sha512`, 'nothing')
      const { code, stdout } = await home.cli('verify', home.destination)
      expect(code).toBe(1)
      for (const name of ['inventory.json', 'inventory.json.sha512', '0=ocfl_object_1.1', 'v1/content/a.txt']) {
        expect(stdout).toContain(`missing  ${objectOf(A)}/${name}\n`)
      }
      expect(stdout).toContain(`bit rot  ${inventory}  (`)
      expect(stdout).toContain(`bit rot  ${inventory}.sha512  (`)
    })

    it('repair puts no content into an object that is missing, and names all that it cannot mend', async () => {
      await create()
      await home.run()
      for (const path of Object.keys(await home.files(objectOf(A)))) await home.place.remove(`${objectOf(A)}/${path}`)
      const sidecar = `${objectOf(B)}/inventory.json.sha512`
      await home.place.remove(sidecar)
      const { code, stdout } = await home.cli('repair', home.destination)
      expect([code, stdout]).toEqual([1, expect.stringContaining('0 files repaired')])
      expect(stdout).toContain(`not repaired  ${objectOf(A)}/v1/content/a.txt`)
      expect(stdout).toContain(`not repaired  ${sidecar}`)
      expect(Object.keys(await home.files(objectOf(A)))).toEqual([])
    })

    it('names a version that a killed run was showing, with the command; the next run and repair finish it', async () => {
      await create()
      await home.run()
      home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
      await home.run()
      const whole = await home.files(objectOf(A))
      for (const finish of [() => home.run(), () => home.cli('repair', home.destination)]) {
        await leaveBetweenSteps(home, A)
        const { code, stdout } = await home.cli('verify', home.destination)
        expect([code, stdout]).toEqual([1, expect.stringContaining(`unfinished  ${objectOf(A)}  (v2 is being written`)])
        expect(stdout).toMatch(/To finish what is not finished.*\n {2}dataferry mirror run m --to /)
        expect(stdout).not.toContain('bit rot')
        expect((await home.cli('verify', `${home.destination}/${ROOT}`)).stdout).toContain('v2 of this object is being')
        expect((await finish()).code).toBe(0)
        expect(await home.files(objectOf(A))).toEqual(whole)
        await verified()
      }
    })

    it('is handed on as bags, crates and objects of another root', async () => {
      await create('--metadata', 'all', '--versions', 'all')
      home.repository.publish(A, (files) => files.slice(1))
      await home.run()
      const out = (name: string): readonly string[] => ['--from', home.destination, '--to', join(home.folder, name)]
      expect((await home.cli('bag', 'm', ...out('bags'), '--offline')).code).toBe(0)
      expect((await home.cli('export', 'ro-crate', 'm', ...out('crates'), '--offline')).code).toBe(0)
      const other = `${home.destination}-objects`
      const exported = ['export', 'ocfl', 'm', '--from', home.destination, '--to', other, '--offline']
      expect((await home.cli(...exported)).code).toBe(0)
      await expectRoot(other)
      const status = await home.cli('mirror', 'status', 'm', ...to)
      expect([status.code, status.stdout]).toEqual([0, expect.stringContaining('2')])
      expect((await home.cli('mirror', 'changes', 'm', ...to)).code).toBe(0)
    })
  })
}

/** As a run leaves an object that is killed when the second version is there, but not yet the inventory of the object. */
async function leaveBetweenSteps({ place, destination, files }: MirrorHome, pid: string): Promise<void> {
  const object = objectOf(pid)
  const record = JSON.stringify({ object: usualLayout().pathOf(pid), version: 'v2' })
  const there = await files(object)
  const names = ['inventory.json', 'inventory.json.sha512']
  const onDisk = `${ROOT}/extensions/dataferry-staging-${newOwner(await deadProcess())}`
  const isOnDisk = !destination.startsWith('s3:')
  await place.write(
    isOnDisk ? `${onDisk}/publishing.json` : `${ROOT}/${unfinishedPath(usualLayout().pathOf(pid))}`,
    record,
  )
  for (const name of names) {
    if (isOnDisk) await place.write(`${onDisk}/new/${name}`, there[name] ?? '')
    await place.write(`${object}/${name}`, there[`v1/${name}`] ?? '')
  }
}

/** A disk keeps the folder of a file that was removed. */
async function removeEmptyFolder({ destination }: MirrorHome, path: string): Promise<void> {
  if (!destination.startsWith('s3:')) await rm(join(destination, path), { recursive: true, force: true })
}
