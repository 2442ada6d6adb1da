import { describe, expect, it } from 'vitest'
import { entriesOf, errorsOf, readAll } from './reading.ts'

const MD5 = '9e107d9d372bb6826bd81d3542a419d6'
/** As in the protocol note §6.1. */
const TABULAR = {
  label: 'data.tab',
  restricted: false,
  directoryLabel: 'raw/2024',
  dataFile: {
    id: 42,
    persistentId: 'doi:10.5072/FK2/ABCDEF/GHIJKL',
    contentType: 'text/tab-separated-values',
    filesize: 12025,
    originalFileFormat: 'text/csv',
    originalFileSize: 11684,
    originalFileName: 'data.csv',
    checksum: { type: 'MD5', value: MD5 },
    tabularData: true,
  },
}
const PLAIN = {
  label: 'a "b" \\ é.txt',
  restricted: true,
  dataFile: { id: 43, persistentId: '', filesize: -1, md5: MD5 },
}
const checksum = { algorithm: 'md5', hex: MD5 }
const LISTED = [
  {
    id: 42,
    pid: 'doi:10.5072/FK2/ABCDEF/GHIJKL',
    label: 'data.tab',
    directory: 'raw/2024',
    tabular: true,
    size: 12025,
    checksum,
    contentType: 'text/tab-separated-values',
    original: { name: 'data.csv', size: 11684, contentType: 'text/csv' },
  },
  { id: 43, label: 'a "b" \\ é.txt', directory: '', tabular: false, checksum, withheld: 'restricted' },
]
const VERSION = {
  datasetPersistentId: 'doi:10.5072/FK2/ABCDEF',
  versionNumber: 2,
  versionMinorNumber: 1,
  versionState: 'RELEASED',
}
const files = [TABULAR, PLAIN]

describe('a Dataverse listing', () => {
  it.each([
    ['an answer of the file listing', { status: 'OK', totalCount: 2, data: files }, undefined],
    ['a version', { status: 'OK', data: { ...VERSION, metadataBlocks: { x: [{}, [1, 'files']] }, files } }, '2.1'],
    ['a dataset', { data: { id: 1, latestVersion: { ...VERSION, versionState: 'DRAFT', files } } }, ':draft'],
    ['an export', { datasetVersion: { ...VERSION, files } }, '2.1'],
    ['a version without envelope', { ...VERSION, files }, '2.1'],
    ['the files alone', files, undefined],
  ])('is understood as %s', async (_, json, version) => {
    const wanted = LISTED.map((listed) => ({
      target: { kind: 'file', file: listed.id },
      listed,
      ...(version ? { listedIn: { dataset: 'doi:10.5072/FK2/ABCDEF', version } } : {}),
    }))
    expect(await entriesOf(JSON.stringify(json))).toEqual(wanted)
    expect(await entriesOf(JSON.stringify(json, undefined, 2), { name: 'm.json' })).toEqual(wanted)
  })

  it('tells what is withheld by its dates', async () => {
    const withDates = (dates: object): object => ({ ...PLAIN, dataFile: { ...PLAIN.dataFile, ...dates } })
    const json = [
      withDates({ embargo: { dateAvailable: '9999-01-01' } }),
      withDates({ retention: { dateUnavailable: '2001-01-01' } }),
    ]
    expect((await entriesOf(JSON.stringify(json))).map((entry) => entry.listed?.withheld)).toEqual([
      'embargoed',
      'retention-expired',
    ])
  })

  it('may also be an array of rows or of ids', async () => {
    expect(await entriesOf('[{"id":1,"path":"a"},\n"doi:10.5072/A",\n3]')).toEqual([
      { target: { kind: 'file', file: 1 }, path: 'a' },
      { target: { kind: 'pid', pid: 'doi:10.5072/A' } },
      { target: { kind: 'file', file: 3 } },
    ])
  })

  it('names the line and place of a bad element, and reads on', async () => {
    const json = `{"data":[\n${JSON.stringify(TABULAR)},\n{"label":"x","dataFile":{"id":"7"}},\n${JSON.stringify(PLAIN)}]}`
    const lines = await readAll(json, { name: 'm.json' })
    expect(lines.map((line) => line.line)).toEqual([2, 3, 4])
    expect(lines[1]).toHaveProperty(
      'error.message',
      'm.json:3: element 2 of the list: the listed file has a bad dataFile.id: request the listing again',
    )
  })

  it.each([
    ['{"data":[\n{"id":1},\n{"id":2}', 3, 'ends too early'],
    ['{"data":[\n{"id":1}\n{"id":2}]}', 3, 'is not valid here'],
    ['{"data":[1,]}', 1, 'is not valid here'],
    ['{"data":[1]]', 1, 'is not valid here'],
    ['{"data":[1]} x', 1, 'is not valid here'],
    ['{"data":[1\n,nul]}', 2, 'is not valid here'],
    ['{"data":["a\n"]}', 1, 'control character'],
    [
      '{"status":"ERROR","message":"Dataset with ID 99 not found."}',
      1,
      'error response: "Dataset with ID 99 not found."',
    ],
    ['{"status":"OK","data":[]}', 1, 'the list in this JSON is empty'],
    ['{"data":{"versionNumber":1}}', 1, 'is not a row, since "data" holds more than a value'],
  ])('%j ends with an error at its line', async (json, line, why) => {
    const error = (await readAll(json, { name: 'm.json', format: 'json' })).at(-1)
    expect(error).toHaveProperty('line', line)
    expect(error).toHaveProperty('error.message', expect.stringContaining(why))
  })

  it('says when it holds one page of many', async () => {
    const notices: string[] = []
    await entriesOf(JSON.stringify({ totalCount: 250, data: files }), {
      name: 'm.json',
      notice: (text) => void notices.push(text),
    })
    expect(notices).toEqual(["m.json: holds 2 of the dataset's 250 files: it is only one page"])
  })

  it.each([
    ['[{"id":9007199254740993}]', 'is not an id'],
    ['[{"id":1e400}]', 'is not a file id'],
    ['[{"id":-1}]', 'is not a file id'],
    ['[{"label":"x","dataFile":{"id":9007199254740993}}]', 'bad dataFile.id'],
    ['[{"label":"x","dataFile":{"id":-1}}]', 'bad dataFile.id'],
    ['[{"label":"x","dataFile":{"id":"__proto__"}}]', 'bad dataFile.id'],
    ['[{"__proto__":{"id":1}}]', 'not a row, since "__proto__" holds more than a value'],
    ['[{"__proto__":{"dataFile":{"id":1}},"constructor":1}]', 'not a row'],
    ['{"data":[{"label":"x","dataFile":{"id":1}}],"data":[]}', 'has "data" twice'],
    ['[{"id":NaN}]', 'is not valid here'],
  ])('%s is refused', async (json, why) => {
    const messages = await errorsOf(json, { name: 'm.json' })
    expect(messages).toEqual([expect.stringContaining(why)])
  })

  it('takes the last of equal names, passes over a byte order mark, and leaves odd names to planning', async () => {
    expect(await entriesOf('\ufeff[{"fileId":1,"fileId":2}]')).toEqual([{ target: { kind: 'file', file: 2 } }])
    const [entry] = await entriesOf('[{"label":"a\\ud800b","dataFile":{"id":1,"filesize":9007199254740993}}]')
    expect(entry?.listed).toEqual({ id: 1, label: 'a\ud800b', directory: '', tabular: false })
  })

  it('refuses what is not UTF-8', async () => {
    const [message] = await errorsOf(Buffer.from('{"data":["é"]}', 'latin1'), { name: 'm.json' })
    expect(message).toBe('m.json:1: the JSON is not UTF-8: correct it, or download the listing again')
  })
})
