import type { Dice } from '../dice.ts'

/** From here on numbers are ids of other things than files, in what `realForm` makes: none may be taken for a file's. */
export const NO_FILE = 900_000_000
export const SERVER = 'https://dv.example.edu'

/** A manifest of a form that is read, or of one that is refused. */
export interface RealForm {
  /** As its file is called. */
  readonly name: string
  readonly value: unknown
  /** How `value` is written. */
  readonly write: (value: unknown) => string
}

/** One of the forms that tools and servers write. */
export function realForm(dice: Dice): RealForm {
  const json = dice.number() < 0.75
  if (!json) {
    const [name, text] = dice.pick(TEXTS)(dice)
    return { name, value: text, write: String }
  }
  const value = dice.pick(DOCUMENTS)(dice)
  const write = dice.pick<(value: unknown) => string>([
    (one) => text(one),
    (one) => text(one, 2),
    (one) => (Array.isArray(one) ? one.map((element) => text(element)).join('\n') : text(one)),
    (one) => (Array.isArray(one) ? one.map((element) => text(element, 2)).join('\n') : text(one)),
  ])
  return { name: dice.pick(['m.json', '-', 'm.txt', 'm.ndjson', 'm.jsonl', 'm']), value, write }
}

function text(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent)
}

const fileId = (dice: Dice): number => dice.between(1, 99_999)
const otherId = (dice: Dice): number => NO_FILE + dice.between(0, 99_999)
const pid = (dice: Dice): string => `doi:10.5072/FK2/${dice.between(100, 999)}`
export const many = <T>(dice: Dice, make: (dice: Dice) => T): T[] =>
  Array.from({ length: dice.between(0, 4) }, () => make(dice))

export function listedFile(dice: Dice): object {
  const id = fileId(dice)
  const tabular = dice.number() < 0.3
  return {
    description: '',
    label: `${id}.${tabular ? 'tab' : 'txt'}`,
    restricted: false,
    directoryLabel: 'raw/2024',
    version: 1,
    datasetVersionId: otherId(dice),
    categories: ['Data'],
    dataFile: {
      id,
      persistentId: dice.number() < 0.5 ? '' : `${pid(dice)}/F`,
      filename: `${id}.tab`,
      contentType: 'text/plain',
      filesize: 12,
      storageIdentifier: 'file://18b',
      rootDataFileId: -1,
      md5: 'a'.repeat(32),
      checksum: { type: 'MD5', value: 'a'.repeat(32) },
      tabularData: tabular,
      ...(tabular && { originalFileFormat: 'text/csv', originalFileSize: 11, originalFileName: `${id}.csv` }),
    },
  }
}

export function version(dice: Dice): object {
  return {
    id: otherId(dice),
    datasetId: otherId(dice),
    datasetPersistentId: pid(dice),
    storageIdentifier: 'file://10.5072/FK2/ABC',
    versionNumber: dice.between(1, 9),
    versionMinorNumber: dice.between(0, 9),
    versionState: dice.pick(['RELEASED', 'DRAFT', 'DEACCESSIONED']),
    license: { name: 'CC0', uri: 'http://creativecommons.org' },
    metadataBlocks: { citation: { fields: [{ typeName: 'title', value: 'T', id: otherId(dice) }] } },
    ...(dice.number() < 0.8 && { files: many(dice, listedFile) }),
  }
}

function dataset(dice: Dice, more: object = {}): object {
  const identifier = `FK2/${dice.between(100, 999)}`
  return {
    id: otherId(dice),
    identifier,
    persistentUrl: `https://doi.org/10.5072/${identifier}`,
    protocol: 'doi',
    authority: '10.5072',
    separator: '/',
    publisher: 'Root',
    publicationDate: '2025-02-10',
    storageIdentifier: `file://10.5072/${identifier}`,
    datasetType: 'dataset',
    ...more,
  }
}

export function searchItem(dice: Dice): object {
  const common = { name: 'x', description: '', entity_id: otherId(dice), published_at: '2025-02-10T09:00:00Z' }
  return dice.pick([
    {
      ...common,
      type: 'dataset',
      url: 'https://doi.org/10.5072/FK2/ABC',
      global_id: pid(dice),
      versionId: otherId(dice),
      fileCount: 3,
    },
    {
      ...common,
      type: 'file',
      url: `${SERVER}/api/access/datafile/7`,
      file_id: String(fileId(dice)),
      size_in_bytes: 12,
      dataset_id: String(otherId(dice)),
    },
    { ...common, type: 'dataverse', url: `${SERVER}/dataverse/x`, identifier: 'x' },
  ])
}

export function contents(dice: Dice): object {
  return dice.number() < 0.5
    ? { ...dataset(dice), type: 'dataset' }
    : { type: 'dataverse', id: otherId(dice), title: 'Sub' }
}

function linkedFile(dice: Dice): object {
  const id = fileId(dice)
  return dice.pick([
    { '@type': 'DataDownload', name: 'a', contentSize: 12, contentUrl: `${SERVER}/api/access/datafile/${id}` },
    {
      '@type': 'cr:FileObject',
      '@id': 'raw/a',
      name: 'a',
      md5: 'a'.repeat(32),
      contentSize: '12',
      contentUrl: `${SERVER}/api/access/datafile/${id}?format=original`,
    },
    { '@type': 'DataDownload', name: 'hidden', identifier: 'https://doi.org/10.5072/FK2/ABC/DEF' },
    {
      '@type': 'ore:AggregatedResource',
      '@id': `${SERVER}/file.xhtml?fileId=${id}`,
      'schema:sameAs': `${SERVER}/api/access/datafile/${id}`,
      'dvcore:filesize': 12,
    },
  ])
}

/** What names no file, each with an id of its own. */
function nothing(dice: Dice): object {
  const id = otherId(dice)
  return dice.pick<object>([
    {
      id,
      identifier: '@me',
      displayName: 'Me',
      firstName: 'M',
      email: 'me@example.org',
      superuser: false,
      authenticationProviderId: 'builtin',
      persistentUserId: 'me',
    },
    {
      id,
      alias: 'x',
      name: 'X',
      dataverseContacts: [{ displayOrder: 0 }],
      permissionRoot: true,
      dataverseType: 'JOURNALS',
      ownerId: id,
    },
    { id, name: 'citation', displayName: 'Citation', displayOnCreate: true, fields: { title: { name: 'title' } } },
    { id, assignee: '@me', roleId: id, _roleAlias: 'curator', definitionPointId: id },
    { id, name: 'GB', enabled: true, customQuestions: [{ id, question: 'x' }], dataverseId: id },
    { lockType: 'Ingest', date: 'x', user: 'me', dataset: 'doi:10.5072/A', message: 'x' },
    { id, versionNumber: '1.1', summary: 'firstPublished', contributors: 'me', publishedOn: '2025-02-10' },
    { id, label: 'x', weighted: false, variableIntervalType: 'discrete', variableFormatType: 'NUMERIC', UNF: 'x' },
    { id, type: 'PUBLISHEDDS', displayAsRead: true, sentTimestamp: 'x', datasetPersistentIdentifier: 'doi:10.5072/A' },
    {
      id,
      name: 'a',
      size: 3,
      download_url: 'https://ndownloader.figshare.com/files/5',
      supplied_md5: 'x',
      is_link_only: false,
    },
    { id: String(id), key: 'a.txt', size: 3, checksum: 'md5:x', links: { self: 'https://zenodo.org/x' } },
  ])
}

export const answer = (data: unknown): object => ({ status: 'OK', data })

const DOCUMENTS: readonly ((dice: Dice) => unknown)[] = [
  (dice) => ({ status: 'OK', totalCount: 3, data: many(dice, listedFile) }),
  (dice) => answer(version(dice)),
  (dice) => answer(many(dice, version)),
  (dice) => many(dice, version),
  (dice) => answer(dataset(dice, { latestVersion: version(dice) })),
  (dice) => dataset(dice, { datasetVersion: version(dice) }),
  (dice) => many(dice, (one) => dataset(one, { latestVersion: version(one) })),
  (dice) => answer(many(dice, contents)),
  (dice) => many(dice, contents),
  (dice) => answer({ q: '*', total_count: 9, start: 0, items: many(dice, searchItem), count_in_response: 4 }),
  (dice) => many(dice, searchItem),
  (dice) => answer({ ...listedFile(dice), datasetVersion: version(dice) }),
  (dice) => many(dice, listedFile),
  (dice) => ({
    '@context': 'http://schema.org',
    '@type': 'Dataset',
    identifier: 'https://doi.org/10.5072/A',
    version: '1.0',
    distribution: many(dice, linkedFile),
  }),
  (dice) => ({
    '@type': 'ore:ResourceMap',
    'ore:describes': {
      '@type': ['ore:Aggregation'],
      'schema:version': '2.0',
      'ore:aggregates': many(dice, linkedFile),
    },
    '@context': {},
  }),
  (dice) => answer(nothing(dice)),
  (dice) => answer(many(dice, nothing)),
  (dice) => many(dice, nothing),
  (dice) => nothing(dice),
  (dice) => many(dice, (one) => ({ fileId: fileId(one), path: 'a/b.csv', md5: 'a'.repeat(32), size: 12 })),
  (dice) => many(dice, (one) => ({ kind: 'zip', ids: [fileId(one), fileId(one)] })),
  (dice) =>
    many(dice, (one) => ({
      url: `${SERVER}/api/access/datafile/${fileId(one)}`,
      length: 3,
      filename: 'a',
      sha256: 'b'.repeat(64),
    })),
  (dice) => many(dice, pid),
]

const TEXTS: readonly ((dice: Dice) => readonly [name: string, text: string])[] = [
  (dice) => ['ids.txt', many(dice, fileId).join('\n')],
  (dice) => [
    'm.csv',
    ['id,path,md5,size', ...many(dice, (one) => `${fileId(one)},"a, ""b"" c.csv",${'a'.repeat(32)},12`)].join('\n'),
  ],
  (dice) => [
    'm.tsv',
    [
      'id\tfilename\tmd5\tsize\tstate',
      ...many(dice, (one) => `${fileId(one)}\ta.bam\t${'a'.repeat(32)}\t1\tlive`),
    ].join('\n'),
  ],
  (dice) => [
    'm.csv',
    ['name,type,global_id,file_id,dataset_id', ...many(dice, (one) => `x,file,,${fileId(one)},${otherId(one)}`)].join(
      '\r\n',
    ),
  ],
  (dice) => ['m', ['sep=;', 'dataset;version', ...many(dice, (one) => `${pid(one)};1.0`)].join('\n')],
  (dice) => [
    'fetch.txt',
    many(dice, (one) => `${SERVER}/api/access/datafile/${fileId(one)} 12 data/a b.csv`).join('\n'),
  ],
  (dice) => [
    'aria.txt',
    many(
      dice,
      (one) => `${SERVER}/api/access/datafile/${fileId(one)}\n  out=a.csv\n  checksum=md5=${'a'.repeat(32)}`,
    ).join('\n'),
  ],
  (dice) => [
    'registry.txt',
    many(dice, (one) => `a.csv md5:${'a'.repeat(32)} ${SERVER}/api/access/datafile/${fileId(one)}`).join('\n'),
  ],
  (dice) => [
    'urls.txt',
    many(dice, (one) => `${SERVER}/dataset.xhtml?persistentId=${pid(one)}&version=1.0`).join('\n'),
  ],
  (dice) => ['m.html', `<a href="${SERVER}/api/access/datafile/${fileId(dice)}">x</a>\n`],
  (dice) => ['jq.txt', many(dice, (one) => `"${pid(one)}"`).join('\n')],
]
