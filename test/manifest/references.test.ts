import { describe, expect, it } from 'vitest'
import { HARMLESS } from '../../src/manifest/address-parameters.ts'
import { ADDRESSES } from '../../src/manifest/dataverse-url.ts'
import type { Entry } from '../../src/model/entry.ts'
import { entriesOf, errorsOf } from './reading.ts'

const DV = 'https://dv.example.edu'
const PID = 'doi:10.5072/FK2/ABC'
const asFile = (file: number | string, version?: string): Entry => ({
  target: { kind: 'file', file, ...(version ? { version } : {}) },
})
const asPid = (pid: string, version?: string): Entry => ({
  target: { kind: 'pid', pid, ...(version ? { version } : {}) },
})

const REFERENCES: readonly (readonly [text: string, entry: Entry])[] = [
  ['42', asFile(42)],
  [PID, asPid(PID)],
  ['DOI:10.5072/fk2/aBc', asPid('doi:10.5072/fk2/aBc')],
  ['10.5072/FK2/ABC', asPid(PID)],
  ['hdl:1902.1/A', asPid('hdl:1902.1/A')],
  ['perma:DANSLINK', asPid('perma:DANSLINK')],
  ['https://doi.org/10.5072/FK2/ABC', asPid(PID)],
  ['http://dx.doi.org/10.5072/FK2/ABC', asPid(PID)],
  ['https://DOI.org/10.5072%2FFK2%2FABC', asPid(PID)],
  ['https://hdl.handle.net/1902.1/A', asPid('hdl:1902.1/A')],
  ['https://hdl.handle.net/10.5072/FK2/ABC', asPid(PID)],
  [`${PID}@2.0`, asPid(PID, '2.0')],
  [`${PID}@:latest`, asPid(PID, ':latest')],
  [`${PID}@DRAFT`, asPid(PID, ':draft')],
  [`${PID}@V1`, asPid(PID, '1')],
  ['doi:10.5072/a@b', asPid('doi:10.5072/a@b')],
  ['doi:10.7910%2FDVN%2FABC', asPid('doi:10.7910/DVN/ABC')],
  ['doi.org/10.5072/FK2/ABC', asPid(PID)],
  ['dx.doi.org/10.5072/FK2/ABC', asPid(PID)],
  ['hdl.handle.net/1902.1/A', asPid('hdl:1902.1/A')],
  ['dv.example.edu/api/files/42', { ...asFile(42), server: DV }],
  ['data.example.org/dv/api/files/42', { ...asFile(42), server: 'https://data.example.org/dv' }],
  ['\u200bdoi:10.5072/FK2/\u200bABC\u00a0', asPid(PID)],
  ['\ufeff42\u200b', asFile(42)],
  ['doi:10.5072/a#b', asPid('doi:10.5072/a#b')],
  [`${DV}/dataset.xhtml?persistentId=${PID}`, { target: { kind: 'dataset', dataset: PID }, server: DV }],
  [
    `${DV}/dataset.xhtml?persistentId=${PID}&version=2.0`,
    { target: { kind: 'dataset', dataset: PID, version: '2.0' }, server: DV },
  ],
  [
    `${DV}/dataset.xhtml?persistentId=${PID}&amp;version=1.0`,
    { target: { kind: 'dataset', dataset: PID, version: '1.0' }, server: DV },
  ],
  [
    `${DV}/dataset.xhtml;jsessionid=8f2c?persistentId=${PID}`,
    { target: { kind: 'dataset', dataset: PID }, server: DV },
  ],
  [
    `${DV}/spa/datasets?persistentId=${PID}&version=DRAFT&tab=files`,
    { target: { kind: 'dataset', dataset: PID, version: ':draft' }, server: DV },
  ],
  [`${DV}/spa/files?id=42&datasetVersion=2.0`, { ...asFile(42, '2.0'), server: DV }],
  [`${DV}/file.xhtml?fileId=42&version=1.0`, { ...asFile(42, '1.0'), server: DV }],
  [`${DV}/file.xhtml?fileId=42&version=V1`, { ...asFile(42, '1'), server: DV }],
  [`${DV}/file.xhtml?persistentId=${PID}/X`, { ...asFile(`${PID}/X`), server: DV }],
  [`${DV}/citation?persistentId=${PID}`, { ...asPid(PID), server: DV }],
  [`${DV}/api/access/datafile/42`, { ...asFile(42), server: DV }],
  [`${DV}/api/v1/access/datafile/raw/2024/42/`, { ...asFile(42), server: DV }],
  [`${DV}/api/access/datafile/42?format=original`, { ...asFile(42), server: DV, format: 'original' }],
  [`${DV}/api/access/datafile/:persistentId?persistentId=${PID}`, { ...asFile(PID), server: DV }],
  [`${DV}/api/access/datafile/bundle/42`, { target: { kind: 'bundle', file: 42 }, server: DV }],
  [`${DV}/api/access/datafiles/3,1,3`, { target: { kind: 'zip', files: [3, 1] }, server: DV }],
  [
    `${DV}/api/access/dataset/24/versions/1.0`,
    { target: { kind: 'dataset-zip', dataset: 24, version: '1.0' }, server: DV },
  ],
  [`${DV}/api/datasets/24`, { target: { kind: 'dataset', dataset: 24 }, server: DV }],
  [
    `${DV}/api/datasets/:persistentId/versions/:latest-published/files?persistentId=${PID}`,
    { target: { kind: 'dataset', dataset: PID, version: ':latest-published' }, server: DV },
  ],
  [
    `${DV}/api/datasets/:persistentId/dirindex?persistentId=${PID}&version=1.0`,
    { target: { kind: 'dataset', dataset: PID, version: '1.0' }, server: DV },
  ],
  [
    `${DV}/api/datasets/24/dirindex/?folder=/raw/2024/&original=true`,
    {
      target: { kind: 'dataset', dataset: 24, version: ':latest-published', folder: 'raw/2024' },
      server: DV,
      format: 'original',
    },
  ],
  [
    `${DV}/api/datasets/export?exporter=dataverse_json&persistentId=${PID}`,
    { target: { kind: 'dataset', dataset: PID, version: ':latest-published' }, server: DV },
  ],
  [
    `${DV}/api/datasets/24/versions/2.0?excludeFiles=false&returnOwners=true`,
    { target: { kind: 'dataset', dataset: 24, version: '2.0' }, server: DV },
  ],
  [`${DV}/api/files/42/versions`, { ...asFile(42), server: DV }],
  [`${DV}/api/files/42/versions/3.1`, { ...asFile(42, '3.1'), server: DV }],
  ['http://dv.example.edu/api/files/42', { ...asFile(42), server: DV }],
  ['https://data.example.org/dv/api/files/42', { ...asFile(42), server: 'https://data.example.org/dv' }],
  ['http://127.0.0.1:8080/api/files/42', { ...asFile(42), server: 'http://127.0.0.1:8080' }],
]

describe('a reference', () => {
  it.each(REFERENCES)('%s is understood', async (text, entry) => {
    expect(await entriesOf(text, { format: 'list' })).toEqual([entry])
  })

  it.each([
    ['fortytwo', 'is not a file id, PID or URL'],
    ['0', 'ids are whole numbers from 1'],
    ['99999999999999999999', 'ids are whole numbers from 1'],
    ['42 43', 'more than one word'],
    ['doi:10.5072/', 'is not a file id, PID or URL'],
    ['ftp://dv.example.edu/42', 'is not an http or https URL'],
    ['https://', 'is not a valid URL'],
    ['https://doi.org/about', 'names no DOI or handle'],
    [`${DV}/dataverse/root?q=x`, 'the URL has q=, which is not supported'],
    [`${DV}/dataverses`, 'is not the URL of a dataset, a file or an API call'],
    [`${DV}/dataset.xhtml`, 'persistentId= is missing'],
    [`${DV}/file.xhtml?fileId=x`, '"x" is not an id'],
    [`${DV}/api/datasets/24/versions/new`, '"new" is not a version'],
    [`${DV}/api/access/datafile/42?format=RData`, 'format "RData" is unknown'],
    [`${DV}/api/access/datafile/42?imageThumb=true`, 'generated content'],
    [`${DV}/api/access/datafile/42/auxiliary/dpJson/1`, 'asks for "auxiliary/dpJson/1" of a file'],
    [`${DV}/api/access/datafile/42/metadata/ddi`, 'asks for "metadata/ddi" of a file'],
    [`${DV}/api/datasets/24/versions`, 'is not the URL of a dataset, a file or an API call'],
    [`${DV}/citation-guide`, 'is not the URL of a dataset, a file or an API call'],
    ['https://data.example.org/api/files/42', 'server https://data.example.org is not given with --server'],
    ['https://dv.example.edu.evil.example/api/files/42', 'https://dv.example.edu.evil.example is not given'],
    ['https://dv.example.edu:8443/api/files/42', 'https://dv.example.edu:8443 is not given'],
    ['https://data.example.org/dvx/api/files/42', 'https://data.example.org is not given'],
  ])('%s is a bad line that says why', async (text, why) => {
    const [message, ...more] = await errorsOf(`${text}\n42\n`, { format: 'list', name: 'ids.txt' })
    expect(more).toEqual([])
    expect(message).toMatch(/^ids\.txt:1: /)
    expect(message).toContain(why)
  })

  it.each([
    ['dataset.xhtml?id=70&versionId=88', 'versionId=, which is not supported: give version= with a number'],
    [`dataset.xhtml?persistentId=${PID}&q=csv`, 'q=, which is not supported: remove it, and use --include'],
    [`dataset.xhtml?persistentId=${PID}&fileTypeGroupFacet=Text`, 'fileTypeGroupFacet=, which is not supported'],
    [`dataset.xhtml?persistentId=${PID}&Version=1.0`, 'Version=, which is not supported: did you mean version=?'],
    ['api/datasets/24/versions/1.0/files?searchText=a', 'searchText=, which is not supported'],
    ['api/datasets/24/versions/1.0/files?contentType=text/csv', 'contentType=, which is not supported'],
    ['api/datasets/24/versions/1.0/files?limit=10', 'limit=, which is not supported: remove it: all pages are read'],
    ['api/datasets/24/versions/1.0/files?offset=10', 'offset=, which is not supported'],
    ['api/datasets/24/versions/1.0/files?accessStatus=Public', 'accessStatus=, which is not supported'],
    ['api/datasets/24/dirindex?version=1.0&version=2.0', 'version= twice with different values'],
    ['file.xhtml?fileId=42&datasetVersionId=88', 'datasetVersionId=, which is not supported'],
    ['api/access/datafile/bundle/42?fileMetadataId=7', 'fileMetadataId=, which is not supported'],
    ['api/access/datafile/42?frobnicate=1', 'frobnicate=, which is not supported: remove it if it does not matter'],
  ])('what narrows is obeyed or refused by name: %s', async (path, why) => {
    const [message] = await errorsOf(`${DV}/${path}`, { format: 'list' })
    expect(message).toContain(why)
  })

  it.each(Object.values(HARMLESS).flat())('ignores the harmless parameter %s', async (name) => {
    const address = `${DV}/dataset.xhtml?persistentId=${PID}&${name.replace('*', 'x')}=1&q=&version=2.0`
    expect(await entriesOf(address, { format: 'list' })).toEqual([
      { target: { kind: 'dataset', dataset: PID, version: '2.0' }, server: DV },
    ])
  })

  it.each(ADDRESSES.filter(({ example }) => !example.includes('auxiliary')))(
    'reads the documented address $example',
    async ({ example }) => {
      expect(await entriesOf(`${DV}${example}`, { format: 'list' })).toHaveLength(1)
    },
  )

  it.each([
    `${DV}/dataset.xhtml;jsessionid=hush?persistentId=none`,
    `${DV}/api/access/datafile/42?gbrecs=true&amp;key=5a1e7c0d-hush`,
    `${DV}/api/access/datafile/42?key=5a1e7c0d-1111-2222-3333-444455556666`,
    `${DV}/api/access/datafile/42?gbrecs=true&token=5a1e7c0d-hush&until=2026`,
    'https://me:5a1e7c0d-hush@dv.example.edu/api/files/42',
    'https://elsewhere.example/x?X-Amz-Signature=5a1e7c0d-hush',
    `${DV}/previewurl.xhtml?token=5a1e7c0d-1111-2222-3333-444455556666`,
    'key=5a1e7c0d-hush',
  ])('a secret is refused and not shown: %s', async (text) => {
    const [message] = await errorsOf(text, { format: 'list' })
    expect(message).toBeDefined()
    expect(message).not.toContain('hush')
    expect(message).not.toContain('444455556666')
  })
})
