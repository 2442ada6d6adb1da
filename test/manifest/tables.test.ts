import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry } from '../../src/model/entry.ts'
import { formatRecord, splitRecord } from '../../src/manifest/record.ts'
import { entriesOf, errorsOf, readAll } from './reading.ts'

const MD5 = 'd41d8cd98f00b204e9800998ecf8427e'
const SHA1 = 'da39a3ee5e6b4b0d3255bfef95601890afd80709'
const SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const csv = (text: string): Promise<Entry[]> => entriesOf(text, { name: 'm.csv' })
const csvErrors = (text: string): Promise<string[]> => errorsOf(text, { name: 'm.csv' })

describe('a table', () => {
  it('takes header names in any case, order and spelling', async () => {
    const wanted: Entry = {
      target: { kind: 'file', file: 42 },
      path: 'raw/a.csv',
      checksum: { algorithm: 'md5', hex: MD5 },
      size: 7,
      format: 'original',
      server: 'https://dv.example.edu',
    }
    const row = `7,${MD5.toUpperCase()},raw/a.csv,42,Original,dv.example.edu`
    expect(await csv(`Size,MD5,Path,FILE_ID,format,server\n${row}\n`)).toEqual([wanted])
    expect(await csv(`filesize,md5,"File Path",fileId,Format,SERVER\r\n${row}\r\n`)).toEqual([wanted])
    expect(
      await entriesOf(`\ufeffsize;md5;path;id;format;server\n${row.replaceAll(',', ';')}`, { name: 'm.csv' }),
    ).toEqual([wanted])
    expect(await entriesOf(`size\tmd5\tpath\tid\tformat\tserver\n${row.replaceAll(',', '\t')}`)).toEqual([wanted])
  })

  it('obeys the first line in which Excel names the delimiter', async () => {
    const wanted = [{ target: { kind: 'file', file: 42 }, path: 'a,b.csv' }]
    expect(await csv('sep=;\r\nid;path\r\n42;a,b.csv\r\n')).toEqual(wanted)
    expect(await entriesOf('"sep=|"\nid|path\n42|a,b.csv\n')).toEqual(wanted)
    expect(await csvErrors('sep=;\nid;path\nx;y\n')).toEqual([expect.stringContaining('m.csv:3: "x" is not a file id')])
  })

  it('joins a folder and a name', async () => {
    expect(await csv('id,directoryLabel,filename\n1,raw/2024,a.csv\n2,,b.csv\n3,raw/,\n')).toMatchObject([
      { path: 'raw/2024/a.csv' },
      { path: 'b.csv' },
      { path: 'raw/' },
    ])
  })

  it('knows what an identifier is from its column', async () => {
    const pid = 'doi:10.5072/FK2/ABC'
    expect(
      await csv(`id,file_pid,doi,dataset,version\n,,${pid},,2.0\n,${pid},,,\n,,,${pid},draft\n,,,24,1\n7,,,24,\n`),
    ).toEqual([
      { target: { kind: 'pid', pid, version: '2.0' } },
      { target: { kind: 'file', file: pid } },
      { target: { kind: 'dataset', dataset: pid, version: ':draft' } },
      { target: { kind: 'dataset', dataset: 24, version: '1' } },
      { target: { kind: 'file', file: 7 } },
    ])
    expect(await csv('id,version\n7,V2\n')).toEqual([{ target: { kind: 'file', file: 7, version: '2' } }])
  })

  it('reads archives by their kind', async () => {
    expect(
      await csv('kind,id,dataset\nzip,"1; 2 3",\ndataset_zip,,24\nbundle,42,\ndataset,24,\nDataset-ZIP,10.5072/A,\n'),
    ).toEqual([
      { target: { kind: 'zip', files: [1, 2, 3] } },
      { target: { kind: 'dataset-zip', dataset: 24 } },
      { target: { kind: 'bundle', file: 42 } },
      { target: { kind: 'dataset', dataset: 24 } },
      { target: { kind: 'dataset-zip', dataset: 'doi:10.5072/A' } },
    ])
  })

  it('uses the strongest checksum that is given', async () => {
    const rows = [`1,${MD5},${SHA256},`, `2,${MD5},,SHA-1:${SHA1}`, `3,,,${MD5}`, '4,NA,-,', `5,,${SHA256},md5:${MD5}`]
    expect((await csv(`id,md5,sha256,checksum\n${rows.join('\n')}`)).map((entry) => entry.checksum?.algorithm)).toEqual(
      ['sha256', 'sha1', 'md5', undefined, 'sha256'],
    )
  })

  it.each([
    ['id,md5', '1,abc', 'md5 "abc" is not 32 hex digits'],
    ['id,sha1', `1,${'g'.repeat(40)}`, 'is not 40 hex digits'],
    ['id,checksum', '1,CRC32:12345678', '"CRC32:12345678" is not a checksum'],
    ['id,size', '1,1.5', 'is not a whole number of bytes'],
    ['id,size', '1,-1', 'is not a whole number of bytes'],
    ['id,format', '1,tabular', 'format "tabular" is unknown'],
    ['id,kind', '1,folder', 'kind "folder" is unknown'],
    ['dataset,version', '24,newest', '"newest" is not a version'],
    ['id,version', '24,newest', '"newest" is not a version'],
    ['ids,version', '24 25,1.0', 'version "1.0" is given for a zip, which has none'],
    ['pid,version', '10.5072/A@1.0,2.0', 'make them agree'],
    ['id,server', '1,https://elsewhere.example', 'server https://elsewhere.example is not given with --server'],
    ['url,server', 'https://dv.example.edu/api/files/1,http://127.0.0.1:8080', 'make them agree'],
    ['id,path', ',x', 'names nothing to fetch'],
    ['id,path', '1,a,b.csv', 'more cells than the header'],
    ['dataset', 'https://dv.example.edu/api/files/1', 'is a file, but its column or kind says dataset'],
    ['id,path', '1,"a"b', 'text follows a closing quote'],
  ])('%s / %s: the line is bad and reading goes on', async (header, row, why) => {
    const lines = await readAll(`# made by hand\n${header}\n${row}\n`.concat(header.startsWith('id,') ? '2\n' : ''), {
      name: 'm.csv',
    })
    expect(lines[0]).toMatchObject({ line: 3, error: { code: 'MANIFEST_INVALID' } })
    const [error] = lines.flatMap((line) => ('error' in line ? [line.error.message] : []))
    expect(error).toMatch(/^m\.csv:3: /)
    expect(error).toContain(why)
    if (header.startsWith('id,')) expect(lines[1]).toMatchObject({ line: 4, entry: { target: { file: 2 } } })
  })

  it('reads only the first column without a header, and says so', async () => {
    const notices: string[] = []
    const options = { name: 'm.csv', notice: (text: string) => void notices.push(text) }
    expect(await entriesOf('42,a.csv\n43,b.csv\n', options)).toEqual([
      { target: { kind: 'file', file: 42 } },
      { target: { kind: 'file', file: 43 } },
    ])
    expect(notices).toEqual(['m.csv: line 1 is not a header, so only the first column is read'])
    expect(await csvErrors('1,2,3\n')).toEqual([
      'm.csv:1: the row names more than one id, PID or URL: give one per line',
    ])
  })

  it('names the columns that it does not use, once', async () => {
    const notices: string[] = []
    await entriesOf('id,rating,md5,note\n1,live,,\n2,live,,\n', {
      name: 'm.tsv.csv',
      notice: (text) => void notices.push(text),
    })
    expect(notices).toEqual(['m.tsv.csv: columns not used: "rating", "note"'])
  })

  it('loses no word on columns that known tools write', async () => {
    const headers = [
      'id\tfilename\tmd5\tsize\tstate',
      'server,kind,id,dataset,version,path,format,size,checksum,code,message',
      'server,kind,id,path,format,archive,name on the server,reason,certain',
      'label,restricted,directoryLabel,id,contentType,filesize,description,storageIdentifier,rootDataFileId,UNF',
    ]
    const notices: string[] = []
    for (const header of headers) {
      await entriesOf(`${header}\n`.repeat(1), { notice: (text) => void notices.push(text) }).catch(() => undefined)
    }
    expect(notices).toEqual([])
  })

  it.each([
    ['Versoin', 'version'],
    ['vrsion', 'version'],
    ['chekcsum', 'checksum'],
    ['nmae', 'name'],
    ['Fil', 'file'],
    ['pth', 'path'],
    ['directory_lable', 'directorylabel'],
    ['file sizes', 'filesize'],
  ])('refuses the misspelt column %s, unless it is told to ignore it', async (column, meant) => {
    const text = `id,${column}\n1,x\n2,y\n`
    expect(await csvErrors(text)).toEqual([
      `m.csv:1: there is no column "${column}": did you mean ${meant}? If not, use --ignore-columns`,
    ])
    const notices: string[] = []
    const options = { name: 'm.csv', ignoreColumns: true, notice: (notice: string) => void notices.push(notice) }
    expect(await entriesOf(text, options)).toHaveLength(2)
    expect(notices).toEqual([`m.csv: columns not used: "${column}"`])
  })

  it.each(['note', 'date', 'title', 'type', 'rating', 'author', 'group', 'uid', 'comment', 'x'.repeat(60_000)])(
    'takes the column %s for one of the user’s own',
    async (column) => {
      expect(await csv(`id,${column}\n1,x\n`)).toHaveLength(1)
    },
  )

  it('does not count invisible characters around what is copied, and keeps them in names', async () => {
    expect(await csv(`\u200bid,md5,path\n42\u200b,\u00a0${MD5}\u2060,a\u200bb.csv\n`)).toEqual([
      { target: { kind: 'file', file: 42 }, checksum: { algorithm: 'md5', hex: MD5 }, path: 'a\u200bb.csv' },
    ])
  })

  it('ends at a header that names nothing to fetch', async () => {
    expect(await csvErrors('path,md5\na,b\nc,d\n')).toEqual([
      'm.csv:1: no column says what to fetch: name one id, persistentId, url or dataset',
    ])
  })

  it('reads a GDC manifest and a quoted failures list alike', async () => {
    expect(
      await entriesOf(`id\tfilename\tmd5\tsize\tstate\n42\ta.csv\t${MD5}\t0\treleased\n`, { name: 'gdc.txt' }),
    ).toEqual([
      { target: { kind: 'file', file: 42 }, path: 'a.csv', checksum: { algorithm: 'md5', hex: MD5 }, size: 0 },
    ])
    const failure = formatRecord(['https://dv.example.edu', '42', 'a, "b".csv', 'original', '9', MD5, 'SOURCE_DENIED'])
    expect(await csv(`server,file_id,path,format,size,md5,code\n${failure}\n`)).toMatchObject([
      { target: { kind: 'file', file: 42 }, path: 'a, "b".csv', server: 'https://dv.example.edu' },
    ])
  })

  it('skips empty rows and rows that are switched off, but no row that names a file so', async () => {
    expect(await csv('id,path\n\n,\n#1,a\n2,#b\n')).toMatchObject([{ target: { file: 2 }, path: '#b' }])
    expect(await csv('path,id\n#a,1\n')).toMatchObject([{ path: '#a' }])
  })

  it('names the line of a quote that is never closed, and reads the others', async () => {
    const lines = await readAll('id,path\n1,a\n2,"b\n3,c\n4,d\n', { name: 'm.csv' })
    expect(lines.map((line) => ('error' in line ? line.error.message : line.entry.path))).toEqual([
      'a',
      'm.csv:3: a quote opens here and is not closed before the end: close it',
      'c',
      'd',
    ])
    const many = Array.from({ length: 30_000 }, (_, n) => `${n + 3},c`).join('\n')
    const long = await readAll(`id,path\n2,"b\n${many}\n`, { name: 'm.csv' }, 65_536)
    expect(long.length).toBe(30_001)
    expect(long.filter((line) => 'error' in line)).toMatchObject([{ line: 2 }])
  })

  it('reads back every record that it writes, and counts lines within quotes', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 })
    const odd = fc.array(fc.constantFrom('"', ',', '\n', '\r\n', '\r', ' ', '#', '\t', ';', 'é', '😀', 'a'), {
      maxLength: 8,
    })
    const path = fc
      .oneof(
        text,
        odd.map((parts) => parts.join('')),
      )
      .filter((name) => name !== '')
    await fc.assert(
      fc.asyncProperty(
        fc.array(path, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 50 }),
        async (paths, size) => {
          const rows = paths.map((name, at) => formatRecord([String(at + 1), name]))
          const lines = await readAll(`id,path\n${rows.join('\n')}\n`, { name: 'm.csv' }, size)
          expect(lines.map((line) => 'entry' in line && line.entry.path)).toEqual(paths)
          let at = 2
          const numbers = rows.map((row) => (at += row.split('\n').length) - row.split('\n').length)
          expect(lines.map((line) => line.line)).toEqual(numbers)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('splits well-formed records as csv-parse does', () => {
    const cell = fc
      .array(fc.constantFrom('a', '"', ',', ' ', '\n', 'é', ';'), { maxLength: 6 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(
        fc.array(cell, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(',', ';', '\t'),
        (cells, delimiter) => {
          const record = formatRecord(cells, delimiter)
          const [oracle] = parse(record, { delimiter, trim: false })
          expect(splitRecord(record, delimiter)).toEqual({ state: 'whole', cells: oracle })
          expect(oracle).toEqual(cells)
        },
      ),
    )
  })
})
