import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, beforeEach, afterEach, expect, it } from 'vitest'
import { readOrder } from '../../src/mirror/order.ts'
import { NO_PROGRESS, writePending } from '../../src/mirror/pending.ts'
import { runMirror } from '../../src/mirror/run.ts'
import { readFiles } from '../../src/mirror/state.ts'
import { file } from './file.ts'
import type { MirrorHome } from './home.ts'
import { folderPlace, withRecords } from './place.ts'

const A = 'doi:10.5072/FK2/A'
const B = 'doi:10.5072/FK2/B'
const ASIDE = '.dataferry/mirrors/m/superseded'
const METADATA = '.dataferry/mirrors/m/metadata'
const RUNS = '.dataferry/mirrors/m/runs'

/** What a mirror promises wherever it is kept. */
export function describeMirror(on: string, homeOf: () => Promise<MirrorHome>): void {
  describe(`a mirror ${on}`, () => {
    let home: MirrorHome
    beforeEach(async () => {
      home = await homeOf()
      home.repository.deposit(A, [file('a.txt', 'alpha'), file('b.txt', 'beta', 'sub')], { collection: 'climate' })
      home.repository.deposit(B, [file('c.txt', 'gamma')], { collection: 'ice' })
    })
    afterEach(() => home.close())

    async function create(...more: readonly string[]): Promise<void> {
      const scope = ['--collection', 'climate', ...more]
      const { code, stderr } = await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)
      expect([code, stderr]).toEqual([0, ''])
    }

    describe('the first run', () => {
      it('brings every released file of a collection and of those within, and says so', async () => {
        home.repository.deposit('doi:10.5072/FK2/ELSE', [file('x', 'x')], { collection: 'other' })
        await create()
        const { code, report } = await home.run()
        expect(code).toBe(0)
        expect(report).toMatchObject({ complete: true, sweep: 'quick', datasets: { added: 2 }, files: { fetched: 3 } })
        expect(await home.files()).toEqual({
          'doi-10.5072-FK2-A/a.txt': 'alpha',
          'doi-10.5072-FK2-A/sub/b.txt': 'beta',
          'doi-10.5072-FK2-B/c.txt': 'gamma',
        })
        expect(await home.changes()).toEqual([`dataset-added,${A},1.0,"","",""`, `dataset-added,${B},1.0,"","",""`])
        const records = Object.keys(await home.files('.dataferry'))
        expect(records).toContain('mirrors/m/metadata/doi-10.5072-FK2-A/v1.0/dataset.json')
        const rest = /^(?:destination\.json|mirrors\/m\/(?:mirror\.json|state\.json|(?:files|metadata|runs)\/.*))$/
        expect(records.filter((path) => !rest.test(path))).toEqual([])
      })
    })

    describe('digests that are taken of every file', () => {
      /** By path, from the records of the mirror. */
      async function digests(): Promise<Readonly<Record<string, readonly string[]>>> {
        const held = [...(await home.datasets('current'))]
        const files = await withRecords(home.place, (records) =>
          Promise.all(held.map(({ id }) => readFiles(records, 'm', id))),
        )
        const known = files.flat().map(({ path, digests: all = [] }) => [path, all.map(({ hex }) => hex)] as const)
        return Object.fromEntries(known)
      }
      const hexOf = (algorithm: string, content: string): string => createHash(algorithm).update(content).digest('hex')

      it('stay in its records, are verified, and are taken in further runs, with those that a run adds', async () => {
        await create('--digest', 'sha256')
        expect((await home.run()).code).toBe(0)
        const beta = 'doi-10.5072-FK2-A/sub/b.txt'
        expect((await digests())[beta]).toEqual([hexOf('sha256', 'beta')])
        expect((await home.cli('verify', home.destination)).code).toBe(0)
        const sums = Object.values(await home.files('.dataferry/verified')).join('')
        expect(sums).toContain(`${hexOf('sha256', 'beta')}  ${beta}\n`)
        home.repository.publish(A, (files) => [...files, file('new', 'new')])
        const added = await home.cli('mirror', 'run', 'm', '--to', home.destination, '--digest', 'sha512')
        expect([added.code, added.stdout + added.stderr]).toEqual([0, expect.stringContaining('--digest sha512')])
        expect(await digests()).toMatchObject({
          [beta]: [hexOf('sha256', 'beta')],
          'doi-10.5072-FK2-A/new': [hexOf('sha256', 'new'), hexOf('sha512', 'new')],
        })
        const order = await withRecords(home.place, (records) => readOrder(records, 'm'))
        expect(order?.digests).toEqual(['sha256', 'sha512'])
      })
    })

    describe('a file whose path is as long as a path may be', () => {
      it('is where the mirror says', async () => {
        const folders = Array.from({ length: 8 }, (_, n) => String(n).repeat(140))
        home.repository.publish(A, () => [
          file('deep.txt', 'deep', folders.join('/')),
          file('x', 'x', folders.slice(1).join('/')),
        ])
        await create()
        expect((await home.run()).code).toBe(0)
        expect((await home.cli('verify', home.destination)).code).toBe(0)
        expect((await home.run('--full')).report.files).toMatchObject({ fetched: 0, kept: 3 })
      })
    })

    describe('a further run', () => {
      beforeEach(async () => {
        await create()
        expect((await home.run()).code).toBe(0)
      })

      it('asks only the search where nothing has changed, and fetches nothing', async () => {
        const { code, report } = await home.run()
        expect(code).toBe(0)
        expect(report).toMatchObject({
          datasets: { unchanged: 2 },
          requests: { search: 2 },
          files: { fetched: 0, kept: 3 },
        })
        expect(Object.keys(report.requests)).toEqual(['search'])
        expect(await home.changes()).toEqual([])
      })

      it('fetches only what is new in a version, moves what moved, and keeps aside what was replaced or removed', async () => {
        const [a, b] = home.repository.files(A)
        expect([a?.label, b?.label]).toEqual(['a.txt', 'b.txt'])
        home.repository.publish(A, (files) => [
          { label: 'a.txt', content: 'alpha 2', replaces: files[0]?.id ?? 0 },
          ...files.slice(1).map((one) => ({ ...one, directory: 'moved' })),
          file('new.txt', 'delta'),
        ])
        home.repository.publish(B, () => [])
        const { code, report } = await home.run()
        expect(code).toBe(0)
        expect(report).toMatchObject({ datasets: { updated: 2 }, files: { fetched: 2, moved: 1, superseded: 2 } })
        expect(await home.files()).toEqual({
          'doi-10.5072-FK2-A/a.txt': 'alpha 2',
          'doi-10.5072-FK2-A/moved/b.txt': 'beta',
          'doi-10.5072-FK2-A/new.txt': 'delta',
        })
        expect(await home.files(ASIDE)).toEqual({
          'doi-10.5072-FK2-A/v1.0/a.txt': 'alpha',
          'doi-10.5072-FK2-B/v1.0/c.txt': 'gamma',
        })
        const ids = home.repository.files(A).map(({ id }) => String(id))
        expect((await home.changes()).slice(0, 4)).toEqual([
          `version-added,${A},2.0,"","",""`,
          `file-moved,${A},2.0,moved/b.txt,${ids[1]},from sub/b.txt`,
          `file-replaced,${A},2.0,a.txt,${ids[0]},replaces ${String(a?.id)}`,
          `file-added,${A},2.0,new.txt,${ids[2]},""`,
        ])
      })

      it('sees a version that was changed under its number', async () => {
        home.repository.updateCurrent(A, (files) => files.map((one) => ({ ...one, label: `x-${one.label}` })))
        const { code, report } = await home.run()
        expect([code, report.files['fetched'], report.files['moved']]).toEqual([0, 0, 2])
        expect(Object.keys(await home.files())).toContain('doi-10.5072-FK2-A/x-a.txt')
        expect((await home.changes())[0]).toBe(`version-updated,${A},1.0,"","",""`)
      })

      it('asks once more about a draft that somebody works on, and fetches nothing', async () => {
        home.repository.edit(A)
        const { code, report } = await home.run()
        expect([code, report.requests, report.files['fetched']]).toEqual([0, { search: 2, versions: 1 }, 0])
        expect((await home.run()).report.requests).toEqual({ search: 2 })
      })

      it('keeps the files of a dataset that was deaccessioned, with what was said of it, and takes it back', async () => {
        home.repository.deaccession(A, 'Wrong units.', { link: 'https://example.org/new' })
        const { code, report } = await home.run()
        expect([code, report.states]).toEqual([0, { current: 1, deaccessioned: 1 }])
        expect(await home.changes()).toEqual([
          `dataset-deaccessioned,${A},"","","",Wrong units. https://example.org/new`,
        ])
        expect(Object.keys(await home.files())).toHaveLength(3)
        home.repository.bringBack(A)
        expect((await home.run()).report).toMatchObject({ states: { current: 2 }, files: { fetched: 0 } })
        expect((await home.changes())[0]).toBe(`dataset-returned,${A},1.0,"","",""`)
      })

      it('takes a file that returns from where it was kept aside', async () => {
        const [, b] = home.repository.files(A)
        home.repository.publish(A, (files) => files.slice(0, 1))
        await home.run()
        expect(await home.files(ASIDE)).toEqual({ 'doi-10.5072-FK2-A/v1.0/sub/b.txt': 'beta' })
        home.repository.publish(A, (files) => [...files, ...(b ? [b] : [])])
        const { code, report } = await home.run()
        expect([code, report.files['fetched'], report.files['moved']]).toEqual([0, 0, 1])
        expect(await home.files('doi-10.5072-FK2-A')).toEqual({ 'a.txt': 'alpha', 'sub/b.txt': 'beta' })
        expect(await home.files(ASIDE)).toEqual({})
      })

      it('calls a dataset gone only when two runs and a direct question agree', async () => {
        home.repository.destroy(B)
        expect((await home.run()).report.states).toEqual({ current: 2 })
        expect((await home.run()).report.states).toEqual({ current: 1, gone: 1 })
        expect(await home.changes()).toEqual([`dataset-gone,${B},"","","",""`])
        expect(Object.keys(await home.files())).toHaveLength(3)
      })

      it('tells a dataset that left the collection from one that the index has lost', async () => {
        home.repository.move(B, 'other')
        expect((await home.run()).report.states).toEqual({ current: 1, 'out-of-scope': 1 })
        expect(await home.changes()).toEqual([`dataset-out-of-scope,${B},"","","",""`])
        home.repository.move(B, 'climate')
        expect((await home.run()).report.states).toEqual({ current: 2 })
      })

      it('is not misled by an index that lags', async () => {
        home.server.world.freezeIndex(true)
        home.repository.publish(A, (files) => [...files, file('late.txt', 'late')])
        home.repository.deposit('doi:10.5072/FK2/NEW', [file('n', 'n')], { collection: 'climate' })
        expect((await home.run()).code).toBe(0)
        home.server.world.freezeIndex(false)
        expect((await home.run()).code).toBe(0)
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/late.txt': 'late', 'doi-10.5072-FK2-NEW/n': 'n' })
        expect((await home.run()).report.requests).toEqual({ search: 2 })
      })

      it('looks at everything where the search does not answer, and says why', async () => {
        home.server.set({ searchFails: 'overloaded' })
        home.repository.publish(A, (files) => [...files, file('late.txt', 'late')])
        const { code, report } = await home.run()
        expect([code, report.sweep, report['why']]).toEqual([0, 'full', expect.stringContaining('did not answer')])
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/late.txt': 'late' })
      })

      it('finds with --full what the search never tells, such as a file that was restricted by a superuser', async () => {
        home.repository.restrict(A)
        expect((await home.run()).report.requests).toEqual({ search: 2 })
        expect((await home.run('--full')).report).toMatchObject({ sweep: 'full', files: { fetched: 0 } })
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/a.txt': 'alpha' })
        const { id = 0 } = (await home.datasets('current')).find(({ pid }) => pid === A) ?? {}
        const held = await withRecords(home.place, (records) => readFiles(records, 'm', id))
        expect(held.map(({ path, state }) => [path, state])).toEqual([
          ['doi-10.5072-FK2-A/a.txt', 'restricted-now'],
          ['doi-10.5072-FK2-A/sub/b.txt', 'restricted-now'],
        ])
      })

      it('keeps all as it is where too much would leave, and lets it go with consent', async () => {
        for (let n = 0; n < 12; n++) home.repository.deposit(`${A}${n}`, [file('x', 'x')], { collection: 'climate' })
        await home.run()
        for (let n = 0; n < 11; n++) home.repository.move(`${A}${n}`, 'other')
        const refused = await home.run()
        expect([refused.code, refused.report.states]).toEqual([1, { current: 14 }])
        expect((await home.run('--max-removals', '100%')).report.states).toEqual({ current: 3, 'out-of-scope': 11 })
      })

      it('shows with -n what would change, and changes nothing', async () => {
        home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
        const before = await home.files()
        const { code, stdout } = await home.cli('mirror', 'run', 'm', '-n', '--to', home.destination)
        expect(code).toBe(0)
        expect(stdout).toContain('file-added')
        expect(stdout).toContain('1 file would be fetched, 0 moved.')
        expect(await home.files()).toEqual(before)
        expect((await home.run()).report.files['fetched']).toBe(1)
      })
    })

    describe('restricted and failing files', () => {
      it('are missing with their code: a right counts in the run that asked, a failure is tried again', async () => {
        home.repository.publish(A, (files) => [...files, { ...file('secret', 's'), restricted: true }])
        home.repository.publish(B, (files) => [...files, { ...file('lost', 'l'), store: 'missing' }])
        await create()
        const first = await home.run('--retries', '1')
        expect([first.code, first.report.files['failed']]).toEqual([1, 2])
        const second = await home.run('--retries', '1')
        expect([second.code, second.report.files['failed'], second.report.files['missing']]).toEqual([1, 1, 2])
        const { stdout } = await home.cli('mirror', 'status', 'm', '--to', home.destination)
        expect(stdout).toContain('SOURCE_DENIED')
        expect(stdout).toContain('SOURCE_BYTES_MISSING')
      })
    })

    describe('a mirror of all versions', () => {
      it('has a folder for each, and fetches bytes that are in several once', async () => {
        home.repository.publish(A, (files) => [...files, file('new.txt', 'new')])
        await create('--versions', 'all')
        const { code, report } = await home.run()
        expect([code, report.files['fetched'], report.files['linked']]).toEqual([0, 4, 2])
        home.repository.publish(A, (files) => files.slice(1))
        const next = await home.run()
        expect([next.code, next.report.files['fetched'], next.report.files['linked']]).toEqual([0, 0, 2])
        expect(Object.keys(await home.files('doi-10.5072-FK2-A')).sort()).toEqual([
          'v1.0/a.txt',
          'v1.0/sub/b.txt',
          'v2.0/a.txt',
          'v2.0/new.txt',
          'v2.0/sub/b.txt',
          'v3.0/new.txt',
          'v3.0/sub/b.txt',
        ])
      })
    })

    describe('a version that was withdrawn from a mirror of all', () => {
      it('stays as it was, and its dataset is current', async () => {
        home.repository.publish(A, (files) => [...files.slice(1), file('new.txt', 'new')])
        await create('--versions', 'all')
        await home.run()
        home.repository.deaccession(A, 'Wrong.', { number: '1.0' })
        const { code, report } = await home.run('--full')
        expect([code, report.states, report.files['fetched']]).toEqual([0, { current: 2 }, 0])
        expect(await home.changes()).toEqual([`version-withdrawn,${A},1.0,"","",""`])
        expect((await home.run('--full')).report.datasets).toEqual({ unchanged: 2 })
        expect(await home.files('doi-10.5072-FK2-A/v1.0')).toEqual({ 'a.txt': 'alpha', 'sub/b.txt': 'beta' })
        expect((await home.cli('verify', home.destination)).code).toBe(0)
      })

      it('a version that is renamed under its number has its files moved there, and the other versions keep theirs', async () => {
        home.repository.publish(A, (files) => files)
        await create('--versions', 'all')
        await home.run()
        home.repository.updateCurrent(A, (files) => files.map((one) => ({ ...one, label: `x-${one.label}` })))
        const { code, report } = await home.run()
        expect([code, report.files['fetched']]).toEqual([0, 0])
        expect(await home.files('doi-10.5072-FK2-A')).toEqual({
          'v1.0/a.txt': 'alpha',
          'v1.0/sub/b.txt': 'beta',
          'v2.0/x-a.txt': 'alpha',
          'v2.0/sub/x-b.txt': 'beta',
        })
        expect((await home.cli('verify', home.destination)).code).toBe(0)
      })
    })

    describe('metadata', () => {
      it('is kept in all forms, each only once it is of the newest version', async () => {
        home.repository.exportsLag = true
        home.repository.publish(A, (files) => files)
        await create('--metadata', 'all')
        await home.run()
        const at = `${METADATA}/doi-10.5072-FK2-A/v2.0`
        expect(Object.keys(await home.files(at))).toEqual(['dataset.json'])
        home.repository.reexport(A)
        await home.run()
        expect(Object.keys(await home.files(at)).sort()).toEqual(
          ['croissant.json', 'dataset.json', 'datacite.xml', 'ddi.xml', 'oai-ore.jsonld', 'schema-org.json'].sort(),
        )
      })
    })

    describe('Croissant', () => {
      it('gets a sidecar with the SHA-256 of files where it has only their MD5, also when it comes later', async () => {
        home.repository.exportsLag = true
        home.repository.publish(A, (files) => files)
        await create('--metadata', 'all', '--digest', 'sha256')
        await home.run()
        const at = `${METADATA}/doi-10.5072-FK2-A/v2.0`
        expect(Object.keys(await home.files(at))).toEqual(['dataset.json'])
        home.repository.reexport(A)
        await home.run()
        const text = (await home.files(at))['croissant-sha256.json'] ?? ''
        const sha256 = createHash('sha256').update('alpha').digest('hex')
        expect(JSON.parse(text)).toMatchObject({ distribution: [{ '@id': 'a.txt', sha256 }, { '@id': 'sub/b.txt' }] })
        expect((await home.cli('verify', home.destination)).code).toBe(0)
        await home.place.write(`${at}/croissant-sha256.json`, text.replace(sha256, '0'.repeat(64)))
        expect((await home.cli('verify', home.destination)).stdout).toContain('croissant-sha256.json')
      })
    })

    describe('files that are kept aside', () => {
      it('go with prune after their time, and a dataset with purge for good', async () => {
        await create()
        await home.run()
        home.repository.publish(A, (files) => files.slice(1))
        await home.run()
        const to = ['--to', home.destination]
        expect((await home.cli('mirror', 'prune', 'm', '--removed-for', '1d', ...to)).stdout).toContain('0 files')
        expect((await home.cli('mirror', 'prune', 'm', '--removed-for', '0d', ...to)).stdout).toContain('1 file ')
        expect(Object.keys(await home.files(ASIDE))).toHaveLength(1)
        expect((await home.cli('mirror', 'prune', 'm', '--removed-for', '0d', '--yes', ...to)).code).toBe(0)
        expect(await home.files(ASIDE)).toEqual({})
        expect((await home.cli('mirror', 'purge', 'm', A.toLowerCase(), '--yes', ...to)).code).toBe(0)
        home.repository.publish(A, (files) => [...files, file('more.txt', 'more')])
        for (const more of [[], ['--full']]) {
          const { report } = await home.run(...more)
          expect(report).toMatchObject({ states: { current: 1, purged: 1 }, files: { fetched: 0 } })
        }
        expect(Object.keys(await home.files())).toEqual(['doi-10.5072-FK2-B/c.txt'])
      })
    })

    describe('what is in nobody’s plan', () => {
      it('a kill while a run that has ended is tidied up loses nothing', async () => {
        await create()
        const { report } = await home.run()
        const sink = await home.place.sink()
        const pending = { v: 1 as const, run: report.run, startedAt: new Date().toISOString(), sweep: 'quick' as const }
        const rest = {
          parts: [],
          lost: [],
          unlinked: [],
          unstored: [],
          unknown: [],
          inTheWay: [],
          linked: 0,
          copied: 0,
          full: false,
          requests: {},
        }
        const arranged = { moved: 0, superseded: 0 }
        await writePending(sink.records, 'm', { ...pending, ...rest, arranged, phase: 'done', progress: NO_PROGRESS })
        await sink.close()
        expect((await home.run()).report.states).toEqual({ current: 2 })
        expect((await home.run()).report).toMatchObject({ states: { current: 2 }, files: { fetched: 0, kept: 3 } })
      })

      it('a file of somebody else is moved aside, not overwritten', async () => {
        await create()
        await home.run()
        await home.place.write('doi-10.5072-FK2-A/z.txt', 'my own')
        home.repository.publish(A, (files) => files.map((one, at) => (at === 0 ? { ...one, label: 'z.txt' } : one)))
        const { code, report } = await home.run()
        expect([code, report['inTheWay']]).toEqual([0, [expect.stringContaining('in-the-way')]])
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/z.txt': 'alpha' })
        expect(Object.values(await home.files(ASIDE))).toContain('my own')
      })

      it('a preview changes nothing of a run that was stopped while it moved files', async () => {
        await create()
        await home.run()
        home.repository.publish(A, (files) => files.map((one) => ({ ...one, directory: 'else' })))
        const sink = await home.place.sink()
        const stopped = new AbortController()
        const order = await readOrder(sink.records, 'm')
        if (!order) throw new Error('no mirror')
        const run = runMirror({
          order,
          sink,
          source: home.api,
          full: false,
          now: () => new Date(),
          signal: stopped.signal,
          onPhase: (phase) => phase === 'place' && stopped.abort(new Error('stopped')),
          requests: () => ({}),
          fetch: () => Promise.resolve('ended'),
          forget: () => Promise.resolve(),
        })
        await expect(run).rejects.toThrow('stopped')
        await sink.close()
        expect((await home.cli('mirror', 'run', 'm', '-n', '--to', home.destination)).code).toBe(3)
        expect(Object.keys(await home.files('.dataferry/mirrors/m/pending'))).toContain('run.json')
        expect((await home.run()).code).toBe(0)
        expect(Object.keys(await home.files()).sort()).toEqual([
          'doi-10.5072-FK2-A/else/a.txt',
          'doi-10.5072-FK2-A/else/b.txt',
          'doi-10.5072-FK2-B/c.txt',
        ])
      })

      it('one dataset that was withdrawn does not take its collection along', async () => {
        home.repository.deposit('doi:10.5072/FK2/I', [file('i', 'i')], { collection: 'ice' })
        home.server.world.freezeIndex(true)
        home.repository.deaccession(B, 'gone')
        await create()
        expect((await home.run()).report.states).toEqual({ current: 2 })
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-I/i': 'i' })
        home.server.world.freezeIndex(false)
      })
    })

    describe('two runs at the same time', () => {
      it.each([
        ['of one Redis', ''],
        ['each with a Redis of its own', '-another'],
      ])('%s are one: the second one says whose the mirror is, and ends with 3', async (_, suffix) => {
        await create()
        home.server.set({ latencyMs: 50 })
        const { DATAFERRY_PREFIX = '' } = home.env
        const runs = await Promise.all(
          ['', suffix].map((end) =>
            home.with({ DATAFERRY_PREFIX: DATAFERRY_PREFIX + end }, 'mirror', 'run', 'm', '--to', home.destination),
          ),
        )
        const [first, second] = runs.toSorted((a, b) => a.code - b.code)
        expect([first?.code, second?.code]).toEqual([0, 3])
        expect(second?.stderr).toContain('is running mirror m')
      })
    })

    describe('verify', () => {
      it('knows what a mirror shows, keeps aside and says about its datasets', async () => {
        await create()
        await home.run()
        home.repository.publish(A, (files) => files.slice(1))
        await home.run()
        const good = await home.cli('verify', home.destination)
        expect([good.code, good.stdout]).toEqual([0, expect.stringContaining('6 right')])
        await home.place.write(`${ASIDE}/doi-10.5072-FK2-A/v1.0/a.txt`, 'alphA')
        await home.place.remove('doi-10.5072-FK2-B/c.txt')
        await home.place.write(`${METADATA}/doi-10.5072-FK2-B/v1.0/dataset.json`, '{}')
        const bad = await home.cli('verify', home.destination)
        expect(bad.code).toBe(1)
        expect(bad.stdout).toMatch(/bit rot {2}\.dataferry\/mirrors\/m\/superseded\S+a\.txt/)
        expect(bad.stdout).toMatch(/bit rot {2}\.dataferry\/mirrors\/m\/metadata\S+dataset\.json/)
        expect(bad.stdout).toContain('missing  doi-10.5072-FK2-B/c.txt')
        expect(bad.stdout).toContain('3 right')
        const wanted = join(home.folder, 'again.csv')
        const named = await home.cli('verify', home.destination, '--wanted', wanted)
        expect([named.code, named.stderr]).toEqual([
          1,
          expect.stringContaining('2 files that mirrors keep in .dataferry'),
        ])
        expect(named.stdout).toContain('names 1 file')
        expect((await home.cli('run', wanted, '--to', home.destination)).code).toBe(0)
        expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-B/c.txt': 'gamma' })
        expect((await home.run('--full')).code).toBe(0)
      })

      it('reads a share at a time, and what a run of the mirror leaves as it is counts as read', async () => {
        home.clock.here = new Date('2026-03-01T03:00:00Z')
        await create()
        await home.run()
        const read: number[] = []
        for (const day of [2, 3, 4]) {
          home.clock.here = new Date(`2026-03-0${day}T04:00:00Z`)
          const { code, stdout } = await home.cli('verify', home.destination, '--rolling', '3d', '--json')
          expect(code).toBe(0)
          const { neverRead } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as {
            neverRead: { files: number }
          }
          read.push(neverRead.files)
          await home.run()
        }
        expect(read[0]).toBeGreaterThan(0)
        expect(read[2]).toBe(0)
      })

      it('leads to a repair: from the server what it shows now, from a copy what is kept aside, and the mirror goes on', async () => {
        await create()
        await home.run()
        home.repository.publish(A, (files) => files.slice(1))
        await home.run()
        const superseded = `${ASIDE}/doi-10.5072-FK2-A/v1.0/a.txt`
        const good = await home.files()
        await home.place.write(superseded, 'alphA')
        await home.place.write('doi-10.5072-FK2-B/c.txt', 'gammA')
        const { code, stdout } = await home.cli('repair', home.destination, 'm')
        expect([code, stdout.replaceAll('\n', ' ')]).toEqual([
          1,
          expect.stringContaining('1 file repaired (5 B), 1 not'),
        ])
        expect(await home.files()).toEqual(good)
        expect(await home.files('.dataferry/repair')).toEqual({})
        const copy = folderPlace(join(home.folder, 'copy'))
        await copy.write(superseded, 'alpha')
        const restored = await home.cli('repair', home.destination, '--from', copy.url)
        expect([restored.code, restored.stdout.replaceAll('\n', ' ')]).toEqual([
          0,
          expect.stringContaining('1 file repaired (5 B)'),
        ])
        expect((await home.cli('verify', home.destination)).code).toBe(0)
        home.repository.publish(B, (files) => files)
        expect((await home.run('--full')).code).toBe(0)
        expect((await home.cli('verify', home.destination)).code).toBe(0)
      })

      it('names damaged metadata that a repair leaves, and brings the rest back, whatever its folders are called', async () => {
        const pid = 'doi:10.5072/FK2/N'
        home.repository.deposit(pid, [file('n.txt', 'notes', 'metadata')], { collection: 'ice' })
        await create('--metadata', 'all')
        await home.run()
        home.repository.publish(pid, () => [file('other.txt', 'other')])
        await home.run()
        const superseded = `${ASIDE}/doi-10.5072-FK2-N/v1.0/metadata/n.txt`
        const [one = '', two = ''] = Object.keys(await home.files(`${METADATA}/doi-10.5072-FK2-A/v1.0`))
        const copy = folderPlace(join(home.folder, 'copy'))
        await copy.write(superseded, 'notes')
        await home.place.write(superseded, 'NOTES')
        await home.place.write(`${METADATA}/doi-10.5072-FK2-A/v1.0/${one}`, 'damaged')
        await home.place.remove(`${METADATA}/doi-10.5072-FK2-A/v1.0/${two}`)
        const { code, stdout } = await home.cli('repair', home.destination, 'm', '--from', copy.url)
        expect([code, stdout.replaceAll('\n', ' ')]).toEqual([
          1,
          expect.stringContaining('1 file repaired (5 B), 2 not'),
        ])
        for (const name of [one, two])
          expect(stdout).toContain(`not repaired  ${METADATA}/doi-10.5072-FK2-A/v1.0/${name}`)
        expect(await home.files(ASIDE)).toEqual({ 'doi-10.5072-FK2-N/v1.0/metadata/n.txt': 'notes' })
      })

      it('compares a file by its checksum alone where no listing and no record says how large it is', async () => {
        const tabular = { original: 'a,b\n1,2\n', header: ['a', 'b'], tab: '1\t2\n', statedOriginalSize: null }
        const id = home.repository.deposit('doi:10.5072/FK2/T', [{ label: 't.tab', tabular }], { collection: 'ice' })
        await create()
        await home.run()
        const good = await home.cli('verify', home.destination)
        expect([good.code, good.stdout]).toEqual([0, expect.stringContaining('7 right')])
        const record = `.dataferry/mirrors/m/files/${id}.json`
        const [text = ''] = Object.values(await home.files(record.slice(0, record.lastIndexOf('/')))).filter((one) =>
          one.includes('t.csv'),
        )
        expect(text).toContain('"size":8')
        // As versions before wrote it.
        await home.place.write(record, text.replace('"size":8,', ''))
        for (const [path, list] of Object.entries(await home.files(RUNS))) {
          // In a bucket a list is stored in pieces.
          if (!path.includes('/datasets.ndjson')) continue
          await home.place.write(`${RUNS}/${path}`, list.replaceAll(/,"filesSha256":"\w+"/g, ''))
        }
        expect((await home.cli('verify', home.destination)).code).toBe(0)
        await home.place.write('doi-10.5072-FK2-T/t.csv', 'a,b\n1,3\n')
        expect((await home.cli('verify', home.destination)).code).toBe(1)
      })
    })
  })
}
