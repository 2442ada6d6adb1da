import { describe, expect, it } from 'vitest'
import type { Entry } from '../../src/model/entry.ts'
import { entriesOf, errorsOf } from './reading.ts'

const DV = 'https://dv.example.edu'
const PID = 'doi:10.5072/FK2/ABC'
const asFile = (file: number | string): Entry => ({ target: { kind: 'file', file } })
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
  ['doi:10.5072/a@b', asPid('doi:10.5072/a@b')],
  ['doi:10.5072/a#b', asPid('doi:10.5072/a#b')],
  [`${DV}/dataset.xhtml?persistentId=${PID}`, { target: { kind: 'dataset', dataset: PID }, server: DV }],
  [
    `${DV}/dataset.xhtml?persistentId=${PID}&version=2.0`,
    { target: { kind: 'dataset', dataset: PID, version: '2.0' }, server: DV },
  ],
  [`${DV}/file.xhtml?fileId=42&version=1.0`, { ...asFile(42), server: DV }],
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
  [`${DV}/api/files/42/versions`, { ...asFile(42), server: DV }],
  ['http://dv.example.edu/api/files/42', { ...asFile(42), server: DV }],
  ['https://data.example.org/dv/api/files/42', { ...asFile(42), server: 'https://data.example.org/dv' }],
  ['http://127.0.0.1:8080/api/files/42', { ...asFile(42), server: 'http://127.0.0.1:8080' }],
]

describe('a reference', () => {
  it.each(REFERENCES)('%s is understood', async (text, entry) => {
    expect(await entriesOf(text, { format: 'list' })).toEqual([entry])
  })

  it.each([
    ['fortytwo', 'is no file id, PID or URL'],
    ['0', 'ids are whole numbers from 1'],
    ['99999999999999999999', 'ids are whole numbers from 1'],
    ['42 43', 'more than one word'],
    ['doi:10.5072/', 'is no file id, PID or URL'],
    ['ftp://dv.example.edu/42', 'is no http or https URL'],
    ['https://', 'is no valid URL'],
    ['https://doi.org/about', 'names no DOI or handle'],
    [`${DV}/dataverse/root`, 'neither a dataset, a file nor an API address'],
    [`${DV}/dataset.xhtml`, 'persistentId= is missing'],
    [`${DV}/file.xhtml?fileId=x`, '"x" is no id'],
    [`${DV}/api/datasets/24/versions/new`, '"new" is no version'],
    [`${DV}/api/access/datafile/42?format=RData`, 'format "RData" is unknown'],
    [`${DV}/api/access/datafile/42?imageThumb=true`, 'generated content'],
    ['https://data.example.org/api/files/42', 'server https://data.example.org is not named with --server'],
    ['https://dv.example.edu.evil.example/api/files/42', 'https://dv.example.edu.evil.example is not named'],
    ['https://dv.example.edu:8443/api/files/42', 'https://dv.example.edu:8443 is not named'],
    ['https://data.example.org/dvx/api/files/42', 'https://data.example.org is not named'],
  ])('%s is a bad line that says why', async (text, why) => {
    const [message, ...more] = await errorsOf(`${text}\n42\n`, { format: 'list', name: 'ids.txt' })
    expect(more).toEqual([])
    expect(message).toMatch(/^ids\.txt:1: /)
    expect(message).toContain(why)
  })

  it.each([
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
