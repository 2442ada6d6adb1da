import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPlanState } from '../../src/batch/folder.ts'
import { DataferryError } from '../../src/errors.ts'
import type { Entry, Target } from '../../src/model/entry.ts'
import type { ListedFile } from '../../src/model/listing.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { catalogueOf, listed, type Datasets } from './catalogue.ts'
import { BATCH, itemsIn, planAll, planFrom, SERVER, textIn } from './planning.ts'

const A = 'doi:10.5072/FK2/A'
const TABLE: ListedFile = listed(3, {
  label: 'table.tab',
  directory: 'raw/2024',
  size: 17,
  contentType: 'text/tab-separated-values',
  tabular: true,
  original: { name: 'table.csv', size: 12, contentType: 'text/csv' },
})
const DATASETS: Datasets = {
  [A]: [
    { version: '1.0', files: [listed(1), listed(2), listed(9)] },
    { version: '2.0', files: [listed(1), listed(2, { pid: `${A}/TWO`, withheld: 'restricted' }), TABLE] },
  ],
}

function dataset(pid: string, more: Partial<Entry> = {}, version?: string): Entry {
  return { target: { kind: 'dataset', dataset: pid, ...(version !== undefined && { version }) }, ...more }
}

function file(id: number | string, more: Partial<Entry> = {}): Entry {
  return { target: { kind: 'file', file: id }, ...more }
}

describe('planning a dataset', () => {
  it('pins its version, and promises of each file the bytes that will arrive', async () => {
    const catalogue = catalogueOf(DATASETS)
    const { items, state } = await planAll([dataset(A)], catalogue)
    const origin = { dataset: A, version: '2.0' }
    expect(items).toMatchObject([
      { n: 0, server: SERVER, path: 'doi-10.5072-FK2-A/f1.bin', expect: { size: 10 }, origin, line: 1 },
      { n: 1, origin: { ...origin, pid: `${A}/TWO` }, withheld: 'restricted' },
      {
        n: 2,
        ref: { kind: 'file', file: 3, format: 'original', tabular: true },
        path: 'doi-10.5072-FK2-A/raw/2024/table.csv',
        expect: { size: 12, checksum: TABLE.checksum },
        contentType: 'text/csv',
      },
    ])
    expect(catalogue.calls).toEqual([`version ${A} :latest`, `files ${A} 2.0`])
    expect(state).toMatchObject({ entries: 1, items: 3, complete: true })
    expect(state.totals).toMatchObject({ size: 42, restricted: 1, datasets: 1, noChecksum: 0, renamed: 0 })
  })

  it('promises nothing of a generated form', async () => {
    const { items, state } = await planAll([dataset(A)], catalogueOf(DATASETS), { format: 'archival' })
    expect(items[2]).toMatchObject({ path: 'doi-10.5072-FK2-A/raw/2024/table.tab', expect: {} })
    expect(items[2]?.ref).toEqual({ kind: 'file', file: 3, format: 'archival', tabular: true })
    expect(state.totals).toMatchObject({ noChecksum: 1, unknownSize: 1 })
  })

  it('takes the version and the folder that the manifest names', async () => {
    const { items, state } = await planAll([dataset(A, { path: 'climate/' }, '1.0')], catalogueOf(DATASETS))
    expect(items.map(({ path }) => path)).toEqual(['climate/f1.bin', 'climate/f2.bin', 'climate/f9.bin'])
    expect(items[0]?.origin?.version).toBe('1.0')
    expect(state.totals.renamed).toBe(0)
  })

  it('takes the folder that an address names, with what is below it', async () => {
    const files = [
      listed(1, { directory: 'raw' }),
      listed(2, { directory: 'raw/2024' }),
      listed(3, { directory: 'rawer' }),
      listed(4),
    ]
    const catalogue = catalogueOf({ [A]: [{ version: '1.0', files }] })
    const inFolder = (folder: string): Entry => ({ target: { kind: 'dataset', dataset: A, version: '1.0', folder } })
    const { items } = await planAll([inFolder('raw'), inFolder('gone')], catalogue)
    expect(items.map(({ path }) => path).slice(0, 2)).toEqual([
      'doi-10.5072-FK2-A/raw/f1.bin',
      'doi-10.5072-FK2-A/raw/2024/f2.bin',
    ])
    const address = `${SERVER}/api/datasets/:persistentId/dirindex?persistentId=doi%3A10.5072%2FFK2%2FA&version=1.0&folder=gone`
    expect(items.slice(2)).toMatchObject([
      {
        problem: {
          code: 'SOURCE_NOT_FOUND',
          message: `Version 1.0 of ${A} has no folder gone.`,
          asked: { kind: 'dataset', id: address },
        },
      },
    ])
  })

  it('makes paths safe and unique, and says what they were', async () => {
    const names = ['a.txt', 'A.txt', '../evil', 'con.txt', 'x/y']
    const files = names.map((label, i) => listed(i + 1, { label, directory: i === 2 ? '../..' : 'd' }))
    const { items, state } = await planAll([dataset(A)], catalogueOf({ [A]: [{ version: '1.0', files }] }))
    expect(items.map(({ path }) => path.replace('doi-10.5072-FK2-A/', ''))).toEqual([
      'd/a.txt',
      'd/A (2).txt',
      '__/__/.._evil',
      'd/_con.txt',
      'd/x_y',
    ])
    expect(items.map(({ renamedFrom }) => renamedFrom?.replace('doi-10.5072-FK2-A/', ''))).toEqual([
      undefined,
      'd/A.txt',
      '../../../evil',
      'd/con.txt',
      'd/x/y',
    ])
    expect(state.totals.renamed).toBe(4)
  })

  it('drops what is asked for twice', async () => {
    const entries = [dataset(A), dataset(A), file(1), file(1, { path: 'elsewhere/f1.bin' })]
    const { items, state } = await planAll(entries, catalogueOf(DATASETS))
    expect(items).toHaveLength(4)
    expect(state.totals.duplicates).toBe(4)
    expect(items[3]).toMatchObject({ path: 'elsewhere/f1.bin', line: 4 })
  })
})

describe('planning single files', () => {
  it('asks nothing for rows of a file listing', async () => {
    const catalogue = catalogueOf(DATASETS)
    const entry = file(3, { listed: TABLE, listedIn: { dataset: A, version: '2.0' } })
    const { items } = await planAll([entry], catalogue)
    expect(items[0]).toMatchObject({ path: 'doi-10.5072-FK2-A/raw/2024/table.csv', origin: { version: '2.0' } })
    expect(catalogue.calls).toEqual([])
  })

  it('brings one listing with the second file of a dataset, and asks no more', async () => {
    const files = Array.from({ length: 50 }, (_, i) => listed(i + 1, { pid: `${A}/${i + 1}` }))
    const catalogue = catalogueOf({ [A]: [{ version: '1.0', files }] })
    const entries = files.map(({ id }) => file(id % 2 === 0 ? id : `${A}/${id}`))
    const { items } = await planAll(entries, catalogue)
    expect(items).toHaveLength(50)
    expect(catalogue.calls).toEqual([`file ${A}/1`, 'file 2', `version ${A} :latest`, `files ${A} 1.0`])
  })

  it('takes the path and the promises of the manifest before those of the listing', async () => {
    const checksum = { algorithm: 'sha256', hex: 'b'.repeat(64) } as const
    const entries = [file(3, { path: 'mine/' }), file(1, { path: 'own.name' }), file(2, { checksum })]
    const { items, state } = await planAll(entries, catalogueOf(DATASETS))
    expect(items.map(({ path }) => path)).toEqual(['mine/table.csv', 'own.name', 'doi-10.5072-FK2-A/f2.bin'])
    expect(items[1]?.expect).toEqual({ size: 10, checksum: listed(1).checksum })
    expect(items[2]?.expect).toEqual({ size: 20, checksum, own: ['checksum'] })
    expect(state.totals.renamed).toBe(0)
  })

  it('refuses a row whose size or checksum the listing contradicts, before anything is fetched', async () => {
    const md5 = (hex: string): Partial<Entry> => ({ checksum: { algorithm: 'md5', hex } })
    const right = listed(1).checksum?.hex ?? ''
    const wrong = md5('0'.repeat(32))
    const rows = [md5(right), wrong, { size: 10 }, { size: 99 }, { ...wrong, path: 'own' }, wrong]
    const { items, state } = await planAll(
      rows.map((row) => file(1, row)),
      catalogueOf(DATASETS),
    )
    expect(items.map(({ problem }) => problem?.code)).toEqual([
      undefined,
      'MANIFEST_MISMATCH',
      'MANIFEST_MISMATCH',
      'MANIFEST_MISMATCH',
      'MANIFEST_MISMATCH',
    ])
    expect(items[1]?.problem?.message).toContain(`md5 ${'0'.repeat(32)}, but the server lists ${right}`)
    expect(items[2]?.problem?.message).toContain(
      'a size of 99 bytes, but the server lists 10 bytes for the file f1.bin',
    )
    expect(items[3]?.problem?.asked).toEqual({ kind: 'file', id: '1', path: 'own' })
    expect(state.totals).toMatchObject({ problems: 4, duplicates: 1 })
  })

  it('compares what the listing does not say with the bytes, and remembers whose promise that is', async () => {
    const bare = { ...listed(7), checksum: undefined, size: undefined }
    const files = [JSON.parse(JSON.stringify(bare)) as ListedFile]
    const checksum = { algorithm: 'md5', hex: 'a'.repeat(32) } as const
    const { items } = await planAll([file(7, { checksum, size: 5 })], catalogueOf({ [A]: [{ version: '1.0', files }] }))
    expect(items[0]?.expect).toEqual({ size: 5, checksum, own: ['size', 'checksum'] })
  })

  it('takes either size of a table for what it is, and its checksum for that of the original', async () => {
    const { checksum } = TABLE
    const rows: Partial<Entry>[] = [
      { size: 12, ...(checksum && { checksum }) },
      { size: 17, path: 'a/' },
      { size: 17, path: 'b/', format: 'archival', ...(checksum && { checksum }) },
      { size: 40, path: 'c/', format: 'archival' },
      { size: 40, path: 'd/' },
    ]
    const { items } = await planAll(
      rows.map((row) => file(3, row)),
      catalogueOf(DATASETS),
    )
    expect(items.map(({ expect: promise }) => promise)).toEqual([
      { size: 12, checksum },
      { size: 12, checksum },
      {},
      { size: 40, own: ['size'] },
      { size: 40 },
    ])
    expect(items[4]?.problem?.message).toContain('12 bytes for the original form of table.tab')
  })

  it('gives a table the name of the form that comes', async () => {
    const rows: Partial<Entry>[] = [
      { path: 'a/table.tab' },
      { path: 'b/mine.TAB' },
      { path: 'c/table.tab', format: 'archival' },
      { path: 'd/table.csv', format: 'archival' },
      { path: 'e/table.txt' },
      { path: 'f/table.csv' },
    ]
    const { items, state } = await planAll(
      rows.map((row) => file(3, row)),
      catalogueOf(DATASETS),
    )
    expect(items.map(({ path, renamedFrom }) => [path, renamedFrom])).toEqual([
      ['a/table.csv', 'a/table.tab'],
      ['b/mine.csv', 'b/mine.TAB'],
      ['c/table.tab', undefined],
      ['d/table.tab', 'd/table.csv'],
      ['e/table.txt', undefined],
      ['f/table.csv', undefined],
    ])
    expect(state.totals.renamed).toBe(3)
  })

  it('describes a file as the version beside it does, and refuses one that is not in it', async () => {
    const old = { ...listed(1), label: 'old-name.bin', directory: 'old' }
    const datasets = { [A]: [{ version: '1.0', files: [old, listed(9)] }, ...(DATASETS[A]?.slice(1) ?? [])] }
    const named = (id: number | string, version: string): Entry => ({ target: { kind: 'file', file: id, version } })
    const catalogue = catalogueOf(datasets)
    const { items } = await planAll(
      [named(1, '1.0'), named(1, '2.0'), named(3, '1.0'), named(1, '7.0'), named(9, '1.0'), named(`${A}/TWO`, '2.0')],
      catalogue,
    )
    expect(items).toMatchObject([
      { path: 'doi-10.5072-FK2-A/old/old-name.bin', origin: { version: '1.0' } },
      { path: 'doi-10.5072-FK2-A/f1.bin', origin: { version: '2.0' } },
      { problem: { code: 'SOURCE_NOT_FOUND', message: `Version 1.0 of ${A} has no file 3.` } },
      { problem: { code: 'SOURCE_NOT_FOUND', asked: { kind: 'file', id: '1', version: '7.0' } } },
      { path: 'doi-10.5072-FK2-A/f9.bin', origin: { version: '1.0' } },
      { ref: { file: 2 }, origin: { version: '2.0' } },
    ])
    expect(catalogue.calls.filter((call) => call === `files ${A} 1.0`)).toHaveLength(1)
    expect(catalogue.calls.filter((call) => call === `version ${A} 1.0`)).toHaveLength(1)
  })

  it('finds out whether a PID names a dataset or a file', async () => {
    const pids: Entry[] = [A, `${A}/TWO`, `${A}/NONE`].map((pid) => ({ target: { kind: 'pid', pid } }))
    const { items, state } = await planAll(pids.slice(0, 1), catalogueOf(DATASETS))
    expect(items).toHaveLength(3)
    expect(state.totals.datasets).toBe(1)
    const second = await planAll(pids.slice(1), catalogueOf(DATASETS))
    expect(second.items).toMatchObject([
      { ref: { kind: 'file', file: 2 } },
      { problem: { code: 'SOURCE_NOT_FOUND', asked: { kind: 'any', id: `${A}/NONE` } } },
    ])
  })
})

describe('planning what is no file', () => {
  it('pins the version of archives, and needs no listing for them', async () => {
    const targets: Target[] = [
      { kind: 'zip', files: [1, 2, 3] },
      { kind: 'dataset-zip', dataset: A },
      { kind: 'bundle', file: 3 },
    ]
    const { items } = await planAll(
      targets.map((target) => ({ target })),
      catalogueOf(DATASETS),
    )
    expect(items).toMatchObject([
      { ref: { kind: 'zip', files: [1, 2, 3] }, path: 'files-1-and-2-more.zip', expect: {} },
      { ref: { kind: 'dataset-zip', dataset: A, version: '2.0' }, path: 'doi-10.5072-FK2-A_2.0.zip' },
      { ref: { kind: 'all-forms', file: 3 }, path: 'doi-10.5072-FK2-A/raw/2024/table-bundle.zip' },
    ])
  })
})

describe('planning all forms', () => {
  it('of a file that is not tabular fails by name: the server would cut them off each time', async () => {
    const { items } = await planAll([{ target: { kind: 'bundle', file: 1 } }], catalogueOf(DATASETS))
    expect(items).toMatchObject([
      {
        problem: { code: 'SOURCE_REJECTED', message: expect.stringMatching(/^File 1 \(.*\) is not tabular/) as string },
      },
    ])
  })
})

describe('planning with filters', () => {
  it('leaves files out of datasets, of ZIPs of files and of what is named singly, and counts them', async () => {
    const entries: Entry[] = [dataset(A), file(1), { target: { kind: 'zip', files: [1, 3] } }]
    const more: Entry[] = [{ target: { kind: 'bundle', file: 3 } }, { target: { kind: 'zip', files: [1, 2] } }]
    const { items, state } = await planAll([...entries, ...more], catalogueOf(DATASETS), {
      filters: { include: ['*.tab'] },
    })
    expect(items).toMatchObject([
      { ref: { kind: 'file', file: 3 } },
      { ref: { kind: 'zip', files: [3] } },
      { ref: { kind: 'all-forms', file: 3 } },
    ])
    expect(state.totals).toMatchObject({ filtered: 6, problems: 0 })
  })

  it('refuses the ZIP of a version that holds what they leave out', async () => {
    const entries: Entry[] = [{ target: { kind: 'dataset-zip', dataset: A } }]
    const refused = await planAll(entries, catalogueOf(DATASETS), { filters: { exclude: ['*.tab'] } })
    expect(refused.items[0]?.problem).toMatchObject({ code: 'MANIFEST_INVALID' })
    expect(refused.items[0]?.problem?.message).toContain('The filters leave out 1 of the 3 files')
    const taken = await planAll(entries, catalogueOf(DATASETS), { filters: { exclude: ['*.zip'] } })
    expect(taken.items[0]?.problem).toBeUndefined()
  })
})

describe('a server that refuses', () => {
  it('names each collection that the manifest does not ask to be searched, in words that can be a manifest again', async () => {
    const collection: Entry = { target: { kind: 'collection', collection: 12, title: 'Archives' } }
    const { items } = await planAll([collection, file(9)], catalogueOf(DATASETS))
    expect(items).toMatchObject([
      {
        problem: {
          code: 'COLLECTION_SKIPPED',
          message: 'Collection 12 (Archives) is skipped: use --recursive to fetch all datasets in it.',
          asked: { kind: 'collection', id: '12' },
        },
      },
      { ref: { kind: 'file', file: 9 } },
    ])
  })

  it('makes of each such entry an item with a problem, and the rest is planned', async () => {
    const catalogue = catalogueOf(DATASETS)
    catalogue.fail = (call) => (call === 'file 5' ? new DataferryError('SOURCE_DENIED', 'No.') : undefined)
    const entries = [dataset('doi:10.5072/FK2/NONE', { path: 'a/b' }, '3.0'), file(5, { path: 'x/' }), file(1)]
    const { items, state } = await planAll(entries, catalogue)
    expect(items).toMatchObject([
      {
        path: 'a/b',
        problem: { code: 'SOURCE_NOT_FOUND', asked: { kind: 'dataset', version: '3.0', path: 'a/b' } },
      },
      { path: 'x/5', problem: { code: 'SOURCE_DENIED', asked: { kind: 'file', id: '5', path: 'x/' } } },
      { ref: { file: 1 } },
    ])
    expect(state.totals).toMatchObject({ problems: 2, renamed: 0, size: 10 })
  })

  it('says that DOIs are case-sensitive, where they are, of each DOI that the server does not know', async () => {
    const entries: Entry[] = [
      dataset('doi:10.5072/fk2/a'),
      { target: { kind: 'pid', pid: 'doi:10.5072/fk2/a' }, path: 'x/' },
      file('doi:10.5072/fk2/a/two'),
      file(404),
    ]
    const said = async (tellsCase: boolean): Promise<boolean[]> => {
      const { items } = await planAll(entries, catalogueOf(DATASETS, tellsCase))
      return items.map(({ problem }) => problem?.message.includes('DOIs are case-sensitive') ?? false)
    }
    expect(await said(true)).toEqual([true, true, true, false])
    expect(await said(false)).toEqual([false, false, false, false])
  })

  it.each(['SOURCE_UNREACHABLE', 'SOURCE_THROTTLED', 'TOKEN_REJECTED'] as const)(
    'for now (%s) ends planning, which stays at its last checkpoint',
    async (code) => {
      const { records } = memorySink()
      const files = Array.from({ length: 1500 }, (_, i) => listed(i + 1))
      const catalogue = catalogueOf({ [A]: [{ version: '1.0', files }] })
      catalogue.fail = (call) => (call === 'file 9999' ? new DataferryError(code, 'Away.') : undefined)
      const entries = [dataset(A), file(9999)]
      await expect(planFrom(records, entries, catalogue)).rejects.toMatchObject({ code })
      expect(await readPlanState(records, BATCH)).toMatchObject({ entries: 1, items: 1500, complete: false })
      catalogue.fail = () => undefined
      const state = await planFrom(records, entries, catalogue)
      expect(state).toMatchObject({ entries: 2, items: 1501, complete: true })
      expect(catalogue.calls.filter((call) => call.startsWith('files'))).toHaveLength(1)
    },
  )
})

describe('planning that is stopped anywhere', () => {
  const label = fc.constantFrom('a.txt', 'A.TXT', 'b', '..', 'con', 'ä/ö.csv', 'x'.repeat(300))
  const directory = fc.constantFrom('', 'd', 'D', '../up', 'd/a.txt')
  const shapes = fc.array(fc.record({ label, directory, both: fc.boolean() }), { minLength: 1, maxLength: 12 })
  const worlds = fc.array(shapes, { minLength: 1, maxLength: 3 })
  const entries = fc.array(
    fc.record({ kind: fc.constantFrom('file', 'dataset', 'pid', 'zip', 'bundle', 'gone'), which: fc.nat(30) }),
    { minLength: 1, maxLength: 30 },
  )

  it('and gone on with gives exactly the same plan', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, entries, fc.array(fc.nat(40), { maxLength: 5 }), async (world, wishes, stops) => {
        const datasets = worldOf(world)
        const wanted = wishes.map(({ kind, which }) => entryFor(kind, which, Object.keys(datasets)))
        const whole = await planAll(wanted, catalogueOf(datasets), { onCheckpoint: () => Promise.resolve() })
        const { records } = memorySink()
        for (const stop of stops) {
          const catalogue = catalogueOf(datasets)
          catalogue.fail = () =>
            catalogue.calls.length > stop ? new DataferryError('SOURCE_UNREACHABLE', 'Away.') : undefined
          await planFrom(records, wanted, catalogue, { checkpointItems: 1 }).catch(() => undefined)
        }
        const state = await planFrom(records, wanted, catalogueOf(datasets), { checkpointItems: 1 })
        expect(await textIn(records)).toBe(await textIn(whole.records))
        expect(state).toEqual(whole.state)
        expect(await itemsIn(records, state.items)).toEqual(whole.items)
      }),
      { numRuns: 150 },
    )
  })
})

/** Datasets with an older version that lacks some files, and files that only an older version has. */
function worldOf(world: readonly (readonly { label: string; directory: string; both: boolean }[])[]): Datasets {
  let id = 0
  return Object.fromEntries(
    world.map((shape, index) => {
      const files = shape.map(({ label, directory, both }) => ({ both, file: listed(++id, { label, directory }) }))
      const newest = files.filter(({ file }) => file.id % 3 !== 0).map(({ file }) => file)
      const oldest = files.filter(({ file, both }) => both || file.id % 3 === 0).map(({ file }) => file)
      const versions = [
        { version: '1.0', files: oldest.map((file) => ({ ...file, directory: 'old' })) },
        { version: '2.0', files: newest },
      ]
      return [`doi:10.5072/FK2/W${index}`, versions]
    }),
  )
}

function entryFor(kind: string, which: number, pids: readonly string[]): Entry {
  const pid = pids[which % pids.length] ?? A
  switch (kind) {
    case 'file':
      return file(which, which % 4 === 0 ? { path: `own/${which % 3}.bin` } : {})
    case 'dataset':
      return dataset(pid, which % 2 === 0 ? { path: 'all' } : {}, which % 3 === 0 ? '1.0' : undefined)
    case 'pid':
      return { target: { kind: 'pid', pid } }
    case 'zip':
      return { target: { kind: 'zip', files: [1, which] } }
    case 'bundle':
      return { target: { kind: 'bundle', file: which } }
    default:
      return { target: { kind: 'dataset-zip', dataset: `doi:10.5072/FK2/GONE${which % 2}` } }
  }
}

describe('a listing that is odd or hostile', () => {
  const size = Number.MAX_SAFE_INTEGER
  const odd: readonly (readonly [string, ListedFile, string])[] = [
    ['a negative id', listed(-5, { size: 1 }), 'The description of file -5 cannot be right: ref.file'],
    ['an id that is no number', listed(1.5), 'The description of file 1.5 cannot be right: ref.file'],
    ['sizes beyond counting', listed(7, { size }), 'The description of file 7 cannot be right: 9007199254740991 bytes'],
    ['a checksum that is none', listed(9, { checksum: { algorithm: 'md5', hex: 'xyz' } }), 'The description of file 9'],
  ]
  it.each(odd)('with %s costs that file alone, which is named', async (_, file, said) => {
    const catalogue = catalogueOf({ [A]: [{ version: '1.0', files: [listed(1, { size: 1 }), file, listed(3)] }] })
    const { items, state, records } = await planAll([dataset(A)], catalogue)
    expect(state).toMatchObject({ items: 3, totals: { problems: 1 } })
    expect(items[1]?.problem).toMatchObject({
      code: 'SOURCE_MISLISTED',
      message: expect.stringContaining(said) as string,
    })
    expect(items.filter(({ problem }) => !problem).map(({ ref }) => ref)).toMatchObject([{ file: 1 }, { file: 3 }])
    expect(await readPlanState(records, BATCH)).toEqual(state)
  })

  it('with an entry that is no file costs that entry alone, at its place and by name, unless the filters leave it out', async () => {
    const odd = { label: 'odd.csv', directory: 'in', mislisted: 'The server lists odd.csv oddly.' }
    const catalogue = catalogueOf({ [A]: [{ version: '1.0', files: [listed(1), odd, listed(3)] }] })
    const { items, state } = await planAll([dataset(A), file(3)], catalogue)
    expect(state).toMatchObject({ items: 3, totals: { problems: 1, duplicates: 1 } })
    expect(items[1]).toMatchObject({
      path: 'doi-10.5072-FK2-A/in/odd.csv',
      problem: { code: 'SOURCE_MISLISTED', message: odd.mislisted },
    })
    expect((await planAll([dataset(A)], catalogue, { filters: { exclude: ['*.csv'] } })).state).toMatchObject({
      items: 2,
      totals: { problems: 0, filtered: 1 },
    })
  })

  it('costs an archive of it, and nothing else', async () => {
    const catalogue = catalogueOf({ [A]: [{ version: '1.0', files: [listed(1), listed(1.5)] }] })
    const zip: Entry = { target: { kind: 'dataset-zip', dataset: A }, path: 'all.zip' }
    const { items } = await planAll([zip, file(1)], catalogue)
    expect(items).toMatchObject([{ path: 'all.zip', problem: { code: 'SOURCE_MISLISTED' } }, { ref: { file: 1 } }])
    expect(items[1]?.problem).toBeUndefined()
  })

  it.each(['constructor', '__proto__', 'toString'])(
    'with the name %s for everything is planned as any other',
    async (name) => {
      const file = listed(1, {
        label: name,
        directory: name,
        contentType: name,
        tabular: true,
        original: { contentType: name },
      })
      const { items } = await planAll([dataset(A)], catalogueOf({ [A]: [{ version: '1.0', files: [file] }] }))
      expect(items).toMatchObject([{ path: `doi-10.5072-FK2-A/${name}/${name}`, contentType: name }])
    },
  )
})
