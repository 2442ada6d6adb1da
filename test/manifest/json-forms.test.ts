import { describe, expect, it } from 'vitest'
import type { Entry } from '../../src/model/entry.ts'
import { entriesOf, errorsOf, SERVERS } from './reading.ts'

const SERVER = SERVERS[0]
const DOI = 'doi:10.5072/FK2/ABCDEF'

/** What a real Dataverse writes, as it writes it: compact, or pretty as `jq` and browsers save it. */
const SPELLINGS = [
  ['compact', (json: unknown) => JSON.stringify(json)],
  ['pretty', (json: unknown) => JSON.stringify(json, undefined, 2)],
  ['compact, with a line end', (json: unknown) => `${JSON.stringify(json)}\n`],
] as const

async function inEverySpelling(json: unknown, check: (text: string, name: string) => Promise<void>): Promise<void> {
  for (const [, spell] of SPELLINGS) for (const name of ['m.json', '-', 'm.txt']) await check(spell(json), name)
}

async function readsAs(json: unknown, entries: readonly Entry[]): Promise<void> {
  await inEverySpelling(json, async (text, name) => expect(await entriesOf(text, { name })).toEqual(entries))
}

/** @param why what each message says, in order */
async function isRefused(json: unknown, ...why: string[]): Promise<void> {
  await inEverySpelling(json, async (text, name) => {
    expect(await errorsOf(text, { name })).toEqual(why.map((part): unknown => expect.stringContaining(part)))
  })
}

function listed(id: number, label = `${id}.txt`): object {
  return {
    description: '',
    label,
    restricted: false,
    version: 1,
    datasetVersionId: 9,
    dataFile: { id, persistentId: '', filename: label, contentType: 'text/plain', filesize: id, md5: 'a'.repeat(32) },
  }
}

function version(id: number, minor: number, files?: readonly object[], state = 'RELEASED'): object {
  return {
    id,
    datasetId: 70,
    datasetPersistentId: DOI,
    datasetType: 'dataset',
    storageIdentifier: 'file://10.5072/FK2/ABCDEF',
    versionNumber: 1,
    versionMinorNumber: minor,
    versionState: state,
    lastUpdateTime: '2025-02-10T09:00:00Z',
    license: { name: 'CC0 1.0', uri: 'http://creativecommons.org/publicdomain/zero/1.0' },
    metadataBlocks: { citation: { displayName: 'Citation', fields: [{ typeName: 'title', value: 'T' }] } },
    ...(files && { files }),
  }
}

function dataset(identifier: string, more: object = {}): object {
  return {
    id: 70,
    identifier,
    persistentUrl: `https://doi.org/10.5072/${identifier}`,
    protocol: 'doi',
    authority: '10.5072',
    publisher: 'Root',
    publicationDate: '2025-02-10',
    storageIdentifier: `file://10.5072/${identifier}`,
    ...more,
  }
}

const file = (id: number, more: object = {}): Entry => ({ target: { kind: 'file', file: id }, ...more })
const ofDataset = (pid: string, version?: string): Entry => ({
  target: { kind: 'dataset', dataset: pid, ...(version === undefined ? {} : { version }) },
})
const summary = (entries: readonly Entry[]): unknown =>
  entries.map(({ target, listed: found, listedIn }) => [target, found?.id, listedIn?.dataset, listedIn?.version])

describe('a saved answer of …/versions', () => {
  const answer = {
    status: 'OK',
    data: [version(502, 1, [listed(7), listed(8)]), version(501, 0, []), version(500, 0, [listed(7)], 'DRAFT')],
  }
  const wanted = [
    [{ kind: 'file', file: 7 }, 7, DOI, '1.1'],
    [{ kind: 'file', file: 8 }, 8, DOI, '1.1'],
    [{ kind: 'file', file: 7 }, 7, DOI, ':draft'],
  ]

  it('asks for the files of each version, never for its own ids', async () => {
    await inEverySpelling(answer, async (text, name) => {
      expect(summary(await entriesOf(text, { name }))).toEqual(wanted)
    })
    expect(summary(await entriesOf(JSON.stringify(answer.data)))).toEqual(wanted)
    const lines = answer.data.map((line) => JSON.stringify(line)).join('\n')
    expect(
      summary(await entriesOf(lines.replace(/.*"versionMinorNumber":0,"versionState":"RELEASED".*\n/, ''))),
    ).toEqual(wanted)
  })

  it('asks for the versions themselves when they were listed without files', async () => {
    await readsAs({ status: 'OK', data: [version(502, 1), version(501, 0)] }, [
      ofDataset(DOI, '1.1'),
      ofDataset(DOI, '1.0'),
    ])
    await isRefused(
      { status: 'OK', data: [{ id: 5, versionNumber: 1, versionState: 'RELEASED' }] },
      'does not name its dataset',
    )
  })

  it('is refused when its members were sorted, so that files come before what they belong to', async () => {
    const { datasetPersistentId, ...rest } = version(502, 1, [listed(7)]) as { datasetPersistentId: string }
    await expect(errorsOf(JSON.stringify({ data: [{ ...rest, datasetPersistentId }] }))).resolves.toEqual([
      expect.stringContaining('are given after its files'),
    ])
  })
})

describe('a saved answer of a collection', () => {
  it('of …/contents asks for its datasets, and names each sub-collection', async () => {
    const data = [
      { type: 'dataverse', id: 12, title: 'Archives' },
      { ...dataset('FK2/ABC', { separator: '/', datasetType: 'dataset', locks: [] }), type: 'dataset' },
      { ...dataset('ABC2', { protocol: 'perma', authority: 'DANS', separator: '' }), type: 'dataset' },
    ]
    await readsAs({ status: 'OK', data }, [
      { target: { kind: 'collection', collection: 12, title: 'Archives' } },
      ofDataset('doi:10.5072/FK2/ABC'),
      ofDataset('perma:DANSABC2'),
    ])
    await readsAs(data.slice(1, 2), [ofDataset('doi:10.5072/FK2/ABC')])
  })

  it('may be named in a row, by id or alias', async () => {
    expect(await entriesOf('kind,id\ncollection,12\nCollection,my_archives\n')).toEqual([
      { target: { kind: 'collection', collection: 12 } },
      { target: { kind: 'collection', collection: 'my_archives' } },
    ])
    expect(await entriesOf(`${SERVER}/dataverse/archives\n${SERVER}/api/dataverses/12/contents\n`)).toEqual([
      { target: { kind: 'collection', collection: 'archives' }, server: SERVER },
      { target: { kind: 'collection', collection: 12 }, server: SERVER },
    ])
    expect(await errorsOf('kind,id\ncollection,doi:10.5072/A\n')).toEqual([
      expect.stringContaining('"doi:10.5072/A" is a pid, but its column or kind says collection'),
    ])
  })

  it('itself is refused', async () => {
    const data = { id: 12, alias: 'archives', name: 'Archives', dataverseContacts: [], dataverseType: 'JOURNALS' }
    await isRefused(
      { status: 'OK', data },
      'this is a collection, not a file or dataset: use --collection with its alias',
    )
    await isRefused(data, 'this is a collection')
    await isRefused({ id: 12, alias: 'archives', name: 'Archives' }, 'this is a collection')
  })
})

describe('a saved answer of a search', () => {
  const items = [
    {
      name: 'A',
      type: 'dataset',
      url: 'https://doi.org/10.5072/FK2/ABC',
      global_id: 'doi:10.5072/FK2/ABC',
      description: '',
      identifier_of_dataverse: 'root',
      publicationStatuses: ['Published'],
      entity_id: 70,
      versionId: 500,
      majorVersion: 1,
      minorVersion: 0,
      fileCount: 2,
      authors: ['X'],
    },
    {
      name: 'a.tab',
      type: 'file',
      url: `${SERVER}/api/access/datafile/42`,
      file_id: '42',
      size_in_bytes: 12,
      md5: 'a'.repeat(32),
      checksum: { type: 'MD5', value: 'a'.repeat(32) },
      dataset_id: '70',
      dataset_persistent_id: 'doi:10.5072/FK2/ABC',
      variables: 3,
    },
    { name: 'Archives', type: 'dataverse', url: `${SERVER}/dataverse/archives`, identifier: 'archives' },
  ]
  const wanted: Entry[] = [
    ofDataset('doi:10.5072/FK2/ABC'),
    file(42),
    { target: { kind: 'collection', collection: 'archives', title: 'Archives' } },
  ]

  it('asks for what it found, and says when more was found', async () => {
    const data = { q: '*', total_count: 3, start: 0, spelling_alternatives: {}, items, count_in_response: 3 }
    await readsAs({ status: 'OK', data }, wanted)
    await readsAs(data, wanted)
    await readsAs(items, wanted)
    expect(await entriesOf(items.map((item) => JSON.stringify(item)).join('\n'))).toEqual(wanted)
    const notices: string[] = []
    const more = JSON.stringify({ status: 'OK', data: { ...data, total_count: 250 } })
    await entriesOf(more, { name: 'm.json', notice: (text) => void notices.push(text) })
    expect(notices).toEqual(['m.json: holds 3 of the 250 that were found: --query fetches all'])
  })

  it('may be a table with the names of the API', async () => {
    const csv =
      'name,type,global_id,file_id,dataset_url\nA,dataset,doi:10.5072/A,,\nb,file,,42,\nC,,,,https://doi.org/10.5072/C\n'
    expect((await entriesOf(csv)).map(({ target }) => target)).toEqual([
      { kind: 'dataset', dataset: 'doi:10.5072/A' },
      { kind: 'file', file: 42 },
      { kind: 'dataset', dataset: 'doi:10.5072/C' },
    ])
    const url = 'persistentUrl\nhttps://doi.org/10.5072/FK2/A\n'
    expect(await entriesOf(url)).toEqual([{ target: { kind: 'pid', pid: 'doi:10.5072/FK2/A' } }])
  })

  it('that found nothing names nothing', async () => {
    await isRefused({ status: 'OK', data: { q: 'x', total_count: 0, items: [] } }, 'the list in this JSON is empty')
  })
})

describe('metadata of a dataset', () => {
  const schemaOrg = {
    '@context': 'http://schema.org',
    '@type': 'Dataset',
    '@id': 'https://doi.org/10.5072/FK2/ABC',
    identifier: 'https://doi.org/10.5072/FK2/ABC',
    name: 'A',
    version: '1',
    license: 'http://creativecommons.org/publicdomain/zero/1.0',
    distribution: [
      {
        '@type': 'DataDownload',
        name: 'a.tab',
        encodingFormat: 'text/tab-separated-values',
        contentSize: 12,
        contentUrl: `${SERVER}/api/access/datafile/42`,
      },
      {
        '@type': 'DataDownload',
        name: 'b.txt',
        contentSize: 3,
        '@id': 'https://doi.org/10.5072/FK2/ABC/DEF',
        identifier: 'https://doi.org/10.5072/FK2/ABC/DEF',
      },
    ],
  }
  const croissant = {
    '@context': { '@language': 'en', sc: 'https://schema.org/' },
    '@type': 'sc:Dataset',
    conformsTo: 'http://mlcommons.org/croissant/1.1',
    name: 'A',
    url: 'https://doi.org/10.5072/FK2/ABC',
    version: '1.0',
    distribution: [
      {
        '@type': 'cr:FileObject',
        '@id': 'data/a.dta',
        name: 'a.dta',
        md5: 'a'.repeat(32),
        contentSize: '12',
        contentUrl: `${SERVER}/api/access/datafile/42?format=original`,
      },
    ],
    recordSet: [{ '@type': 'cr:RecordSet', field: [{ '@id': '7', source: { fileObject: { '@id': 'data/a.dta' } } }] }],
  }
  const ore = {
    'dcterms:modified': '2025-02-10',
    '@type': 'ore:ResourceMap',
    '@id': `${SERVER}/api/datasets/export?exporter=OAI_ORE&persistentId=https://doi.org/10.5072/FK2/ABC`,
    'ore:describes': {
      title: 'A',
      '@id': 'https://doi.org/10.5072/FK2/ABC',
      '@type': ['ore:Aggregation', 'schema:Dataset'],
      'schema:version': '2.1',
      'ore:aggregates': [
        {
          'schema:name': 'a.csv',
          'dvcore:filesize': 12,
          '@id': `${SERVER}/file.xhtml?fileId=42`,
          'schema:sameAs': `${SERVER}/api/access/datafile/42?format=original`,
          '@type': 'ore:AggregatedResource',
          'dvcore:checksum': { '@type': 'MD5', '@value': 'a'.repeat(32) },
        },
        {
          'schema:name': 'b.txt',
          '@id': 'doi:10.5072/FK2/ABC/DEF',
          'schema:sameAs': `${SERVER}/api/access/datafile/:persistentId?persistentId=doi:10.5072/FK2/ABC/DEF`,
          '@type': 'ore:AggregatedResource',
        },
      ],
      'schema:hasPart': ['doi:10.5072/FK2/ABC/DEF'],
    },
    '@context': { ore: 'http://www.openarchives.org/ore/terms/' },
  }

  it('in schema.org asks for the files of its distribution', async () => {
    await readsAs(schemaOrg, [
      file(42, { server: SERVER }),
      { target: { kind: 'file', file: 'doi:10.5072/FK2/ABC/DEF' } },
    ])
  })

  it('in Croissant asks for them as that version names them', async () => {
    await readsAs(croissant, [
      { target: { kind: 'file', file: 42, version: '1.0' }, server: SERVER, format: 'original' },
    ])
  })

  it('in OAI-ORE asks for what is aggregated, as that version names it', async () => {
    await readsAs(ore, [
      { target: { kind: 'file', file: 42, version: '2.1' }, server: SERVER, format: 'original' },
      { target: { kind: 'file', file: 'doi:10.5072/FK2/ABC/DEF', version: '2.1' }, server: SERVER },
    ])
  })

  it('is the same as lines of NDJSON, or as elements of a list', async () => {
    const lines = [schemaOrg, croissant, ore].map((line) => JSON.stringify(line)).join('\n')
    const wanted = (await entriesOf(lines, { name: 'm.jsonl' })).map(({ target }) => target)
    expect((await entriesOf(JSON.stringify([schemaOrg, croissant, ore]))).map(({ target }) => target)).toEqual(wanted)
    expect(wanted).toEqual([
      { kind: 'file', file: 42 },
      { kind: 'file', file: 'doi:10.5072/FK2/ABC/DEF' },
      { kind: 'file', file: 42, version: '1.0' },
      { kind: 'file', file: 42, version: '2.1' },
      { kind: 'file', file: 'doi:10.5072/FK2/ABC/DEF', version: '2.1' },
    ])
  })

  it('is refused where it names no files, and where their server is another', async () => {
    const { distribution, ...bare } = schemaOrg
    await isRefused(bare, 'this is JSON-LD without a list of files')
    const hidden = { ...schemaOrg, distribution: [{ '@type': 'DataDownload', name: 'c.txt' }] }
    await isRefused(hidden, 'file "c.txt" has no URL, since its server hides them here')
    const elsewhere = { ...distribution[0], contentUrl: 'https://other.example/api/access/datafile/42' }
    await isRefused({ ...schemaOrg, distribution: [elsewhere] }, 'server https://other.example is not given')
    await isRefused({ '@context': {}, '@id': 'x', id: 5 }, 'this is JSON-LD')
  })
})

describe('an export of dataverse_json', () => {
  it('knows its dataset, also where an old server writes the PID in pieces', async () => {
    const { datasetPersistentId, ...old } = version(502, 1, [listed(7)]) as { datasetPersistentId: string }
    expect(datasetPersistentId).toBe(DOI)
    const wanted = [[{ kind: 'file', file: 7 }, 7, DOI, '1.1']]
    for (const datasetVersion of [old, version(502, 1, [listed(7)])]) {
      await inEverySpelling(dataset('FK2/ABCDEF', { datasetVersion }), async (text, name) => {
        expect(summary(await entriesOf(text, { name }))).toEqual(wanted)
      })
    }
  })

  it('asks for its version when it was made without files', async () => {
    const latestVersion = version(502, 1)
    await readsAs({ status: 'OK', data: dataset('FK2/ABCDEF', { latestVersion }) }, [ofDataset(DOI, '1.1')])
    await readsAs({ status: 'OK', data: dataset('FK2/ABCDEF') }, [ofDataset(DOI)])
  })
})

describe('what is known of a single file', () => {
  it('is the file', async () => {
    const data = { ...listed(42), datasetVersion: version(502, 1) }
    await inEverySpelling({ status: 'OK', data }, async (text, name) => {
      expect(summary(await entriesOf(text, { name }))).toEqual([[{ kind: 'file', file: 42 }, 42, DOI, '1.1']])
    })
  })
})

describe('objects that are neither a file nor a dataset', () => {
  it.each([
    ['a user', { id: 5, identifier: '@me', displayName: 'Me', email: 'me@example.org', superuser: false }],
    ['a user', { id: 5, userName: 'me' }],
    ['a collection', { id: 5, alias: 'x', name: 'X' }],
    ['a collection', { id: 5, dataverseType: 'JOURNALS' }],
    ['a metadata block', { id: 5, name: 'citation', displayName: 'Citation Metadata', displayOnCreate: true }],
    ['a metadata block', { id: 5, name: 'citation', fields: { title: { name: 'title' } } }],
    ['a role', { id: 5, alias2: 'x', name: 'Curator', permissions: ['ViewUnpublishedDataset'] }],
    ['a role assignment', { id: 5, assignee: '@me', roleId: 8 }],
    ['a guestbook', { id: 5, name: 'GB', enabled: true, customQuestions: [] }],
    ['a lock', { lockType: 'Ingest', date: 'x', user: 'me', dataset: DOI }],
    ['a licence', { id: 5, name: 'CC0', uri: 'http://x.example', active: true }],
    [
      'a version, or a summary of one',
      { id: 5, versionNumber: '1.1', summary: 'firstPublished', publishedOn: '2025-02-10' },
    ],
    ['a variable of a table', { id: 5, label: 'x', variableIntervalType: 'discrete' }],
    ['the description of a table', { id: 5, varQuantity: 3, caseQuantity: 4 }],
    ['a notification', { id: 5, type: 'PUBLISHEDDS', displayAsRead: true, sentTimestamp: 'x' }],
    [
      'a file of Figshare',
      { id: 5, name: 'a', download_url: 'https://ndownloader.figshare.com/files/5', supplied_md5: 'x' },
    ],
    ['a file of Zenodo', { id: 5, key: 'a.txt', size: 3, links: { self: 'https://zenodo.org/x' } }],
  ])('are refused by what they are: %s', async (what, object) => {
    await isRefused(object, what)
    await isRefused([object], what)
    await isRefused({ status: 'OK', data: object }, what)
    await isRefused({ status: 'OK', data: [object, object] }, what, what)
    const line = JSON.stringify(object)
    expect(await errorsOf(`${line}\n${line}\n`, { name: 'm.ndjson' })).toEqual([
      expect.stringContaining(`m.ndjson:1: this is ${what}`),
      expect.stringContaining(`m.ndjson:2: this is ${what}`),
    ])
  })

  it('are refused in a server’s answer even when nothing is known of them', async () => {
    const unknown = { id: 5, name: 'x' }
    await isRefused({ status: 'OK', data: [unknown] }, 'an object with "id", "name" is neither a file nor a dataset')
    await isRefused({ status: 'OK', data: unknown }, 'is neither a file nor a dataset')
    await isRefused({ status: 'OK', data: [7, 'doi:10.5072/A'] }, 'number "7" is neither', 'string "doi:10.5072/A" is')
    await isRefused({ files: [unknown] }, 'is neither a file nor a dataset')
    await isRefused({ status: 'OK', data: { message: 'Done' } }, 'is neither a file nor a dataset')
  })

  it('are refused elsewhere when only an id says what they are, and they hold more than values', async () => {
    await isRefused({ id: 5, tags: ['a'] }, 'is not a row, since "tags" holds more than a value')
    await isRefused(
      { id: 5, name: 'a', download_url: 'https://other.example/5' },
      'server https://other.example is not',
    )
    await isRefused({ id: 5, url: `${SERVER}/api/access/datafile/6` }, 'the id says file 5, but the URL says file 6')
    await readsAs({ id: 5, url: `${SERVER}/file.xhtml?fileId=5` }, [file(5, { server: SERVER })])
    await readsAs({ fileId: 5, tags: ['a'] }, [file(5)])
    await readsAs({ fileId: 5, alias: 'x' }, [file(5)])
    await readsAs({ id: 5, comment: 'x' }, [file(5)])
  })
})

describe('registries of other tools', () => {
  it('a bdbag remote-file manifest is read where its URLs are of a named Dataverse', async () => {
    const sha256 = 'b'.repeat(64)
    const entry = { url: `${SERVER}/api/access/datafile/42`, length: 12, filename: 'data/a.csv', sha256 }
    await readsAs(
      [entry, { ...entry, length: '13', sha256: undefined, md5: 'a'.repeat(32) }],
      [
        file(42, { server: SERVER, size: 12, path: 'data/a.csv', checksum: { algorithm: 'sha256', hex: sha256 } }),
        file(42, { server: SERVER, size: 13, path: 'data/a.csv', checksum: { algorithm: 'md5', hex: 'a'.repeat(32) } }),
      ],
    )
    await isRefused([{ ...entry, url: 'https://other.example/a.csv' }], 'server https://other.example is not given')
  })

  it('a pooch registry is read where its lines have such URLs', async () => {
    const sha256 = 'B'.repeat(64)
    const url = `${SERVER}/api/access/datafile/42`
    const text = `# made by pooch\nraw/a.csv ${sha256} ${url}\n"b c.txt" md5:${'a'.repeat(32)} ${url}\n`
    expect(await entriesOf(text, { name: 'registry.txt' })).toEqual([
      file(42, { server: SERVER, path: 'raw/a.csv', checksum: { algorithm: 'sha256', hex: sha256.toLowerCase() } }),
      file(42, { server: SERVER, path: 'b c.txt', checksum: { algorithm: 'md5', hex: 'a'.repeat(32) } }),
    ])
    const errors = await errorsOf(`a.csv ${sha256}\nb.csv ${sha256} https://other.example/b.csv\nc.csv\n`)
    expect(errors).toEqual([
      expect.stringContaining(':1: "a.csv" has no URL in this pooch registry: give the DOI of its base_url'),
      expect.stringContaining(':2: server https://other.example is not given'),
      expect.stringContaining(':3: "c.csv" is not a line of a pooch registry'),
    ])
  })
})

describe('lists that jq printed', () => {
  it('may have quotes around their PIDs', async () => {
    const wanted = ['doi:10.5072/A', 'doi:10.5072/B'].map((pid) => ({ target: { kind: 'pid', pid } }))
    expect(await entriesOf('"doi:10.5072/A"\n"doi:10.5072/B"\n')).toEqual(wanted)
    expect(await entriesOf('["doi:10.5072/A","doi:10.5072/B"]')).toEqual(wanted)
    expect(await entriesOf('[\n  "doi:10.5072/A",\n  "doi:10.5072/B"\n]\n')).toEqual(wanted)
  })

  it('may be pretty objects one after the other', async () => {
    const objects = [listed(7), { type: 'dataset', global_id: DOI }, { fileId: 8 }]
    const pretty = objects.map((object) => JSON.stringify(object, undefined, 2))
    const mixed = [JSON.stringify(objects[0]), ...pretty.slice(1)]
    expect(await entriesOf(mixed.join('\n'))).toEqual(await entriesOf(pretty.join('\n')))
    expect((await entriesOf(pretty.join('\n'))).map(({ target }) => target)).toEqual([
      { kind: 'file', file: 7 },
      { kind: 'dataset', dataset: DOI },
      { kind: 'file', file: 8 },
    ])
  })
})
