import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { detectFormat, MANIFEST_FORMATS } from '../../src/manifest/detect-format.ts'
import { openManifest, readManifest } from '../../src/manifest/read-manifest.ts'
import { entriesOf, errorsOf, inPieces, readAll, SERVERS } from './reading.ts'

const file = (id: number): object => ({ target: { kind: 'file', file: id } })

describe('a plain list', () => {
  it('skips comments, blank lines and comments behind an entry', async () => {
    const text = '# ids\n\n42\n  43  # the second\n\t# none\ndoi:10.5072/a#b\t#c\n'
    expect(await entriesOf(text)).toEqual([file(42), file(43), { target: { kind: 'pid', pid: 'doi:10.5072/a#b' } }])
  })

  it.each([
    ['LF', '1\n2\n3'],
    ['CRLF', '1\r\n2\r\n3\r\n'],
    ['CR', '1\r2\r3\r'],
    ['a byte order mark', '\ufeff1\n2\n3\n'],
  ])('reads the same with %s', async (_, text) => {
    for (const size of [1, 2, 3, 100]) {
      const lines = await readAll(text, {}, size)
      expect(lines).toEqual([1, 2, 3].map((n) => ({ line: n, entry: file(n) })))
    }
  })

  it('reads UTF-16 with its mark, as spreadsheets write it', async () => {
    const text = '\ufeffid\tpath\n1\té😀.csv\n'
    const little = Buffer.from(text, 'utf16le')
    const wanted = [{ ...file(1), path: 'é😀.csv' }]
    expect(await entriesOf(little)).toEqual(wanted)
    expect(await entriesOf(Buffer.from(little).swap16())).toEqual(wanted)
  })

  it.each([
    ['nothing', '', 'the manifest is empty'],
    ['blanks and comments', '\n \n# x\n', 'the manifest is empty'],
    ['an Excel workbook', 'PK\x03\x04....[Content_Types].xml', 'is an Excel workbook (.xlsx): save it as'],
    [
      'a spreadsheet of LibreOffice',
      'PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet',
      '(.ods): save',
    ],
    ['a ZIP', 'PK\x03\x04rest', 'is a ZIP: unpack it'],
    ['a web page', '<!DOCTYPE html>\n<html>\n<a href="x">', 'is a web page: give the URLs in it one per line'],
    ['XML', '<?xml version="1.0"?>\n<metalink/>', 'is XML, which is not supported'],
    ['a script', '#!/bin/sh\nwget https://dv.example.edu/api/access/datafile/1\n', 'a script that calls wget'],
    ['a curl config file', 'url = "https://dv.example.edu/api/access/datafile/1"\n', 'a curl config file'],
    ['UTF-16 without a mark', '1\0\n\0', 'is not a text file'],
  ])('gives one error for %s', async (_, text, why) => {
    const [message, ...more] = await errorsOf(text)
    expect(more).toEqual([])
    expect(message).toMatch(/^manifest:1: /)
    expect(message).toContain(why)
  })

  it('says that a compressed manifest is one', async () => {
    expect(await errorsOf(Uint8Array.from([0x1f, 0x8b, 8, 0]))).toEqual([expect.stringContaining('is compressed')])
  })

  it('drops a line that is too long while it passes, and reads the next', async () => {
    async function* long(): AsyncIterable<Uint8Array> {
      yield Buffer.from('1\n2')
      for (let n = 0; n < 640; n += 1) yield await Promise.resolve(Buffer.alloc(100_000, '3'))
      yield Buffer.from('\n4\n')
    }
    const before = process.memoryUsage().arrayBuffers
    const lines = []
    for await (const line of readManifest(long(), { name: 'ids.txt', servers: SERVERS })) lines.push(line)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
    expect(lines).toMatchObject([
      { line: 1 },
      { line: 2, error: { code: 'MANIFEST_INVALID' } },
      { line: 3, entry: file(4) },
    ])
    expect(lines[1]).toHaveProperty(
      'error.message',
      expect.stringMatching(/^ids\.txt:2: the line is longer than 64 KiB/),
    )
  })

  it('names a line that is not UTF-8, and reads those around it', async () => {
    const bytes = Buffer.concat([Buffer.from('1\n'), Buffer.from('é\n', 'latin1'), Buffer.from('3 # é\n')])
    expect(await readAll(bytes)).toMatchObject([
      { line: 1, entry: file(1) },
      { line: 2, error: { message: 'manifest:2: the line is not UTF-8: save the manifest as UTF-8' } },
      { line: 3, entry: file(3) },
    ])
  })
})

describe('lists as tools write them', () => {
  const api = 'https://dv.example.edu/api/access/datafile'
  const onServer = (id: number): object => ({ ...file(id), server: SERVERS[0] })
  const pid = (text: string): object => ({ target: { kind: 'pid', pid: text } })

  it('of quoted PIDs, as jq prints them, are read', async () => {
    const text = '"doi:10.5072/FK2/ABC"\n"doi:10.5072/FK2/DEF",\n\'hdl:1902.1/A\'\n"https://doi.org/10.5072/X"\n'
    const wanted = ['doi:10.5072/FK2/ABC', 'doi:10.5072/FK2/DEF', 'hdl:1902.1/A', 'doi:10.5072/X'].map(pid)
    expect(await entriesOf(text)).toEqual(wanted)
    expect(await entriesOf(text, { name: 'pids.txt' })).toEqual(wanted)
    expect(await entriesOf('"doi:10.5072/FK2/DEF",\n"doi:10.5072/FK2/ABC"\n')).toHaveLength(2)
  })

  it('with an address that holds commas first are no tables', async () => {
    const text = `${api}s/104,105\n${api}/7\n`
    const wanted = [{ target: { kind: 'zip', files: [104, 105] }, server: SERVERS[0] }, onServer(7)]
    for (const name of ['-', 'urls.txt', 'urls.csv']) expect(await entriesOf(text, { name })).toEqual(wanted)
    const page = 'https://dv.example.edu/dataset.xhtml;jsessionid=8f2c?persistentId=doi:10.5072/A\n42\n'
    expect(await entriesOf(page)).toEqual([
      { target: { kind: 'dataset', dataset: 'doi:10.5072/A' }, server: SERVERS[0] },
      file(42),
    ])
  })

  it('of links, as they stand in a folder index, are read', async () => {
    const text = [
      '<a href="/api/access/datafile/raw/42">a.csv</a> # the first',
      `href='${api}/43'`,
      '<li><a class="x" href="/api/datasets/24/dirindex/?version=1.0&amp;folder=raw">raw/</a></li>',
    ].join('\n')
    expect(await entriesOf(text)).toEqual([
      onServer(42),
      onServer(43),
      { target: { kind: 'dataset', dataset: 24, version: '1.0', folder: 'raw' }, server: SERVERS[0] },
    ])
  })

  it('of addresses for wget are read', async () => {
    expect(await entriesOf(`# wget -i urls.txt\n${api}/raw/2024/42?format=original\n${api}/43\n`)).toEqual([
      { ...onServer(42), format: 'original' },
      onServer(43),
    ])
  })

  it('for aria2 are read with the names and checksums in them', async () => {
    const md5 = 'd41d8cd98f00b204e9800998ecf8427e'
    const text = [
      '# for aria2c -i',
      `${api}/1\thttps://mirror.example/1`,
      `  out=a b.csv\r`,
      `  checksum=md5=${md5}`,
      '  split=5',
      `${api}/2`,
      '\tdir=raw/2024',
      `${api}/3`,
      '  dir=raw',
      '  out=c.csv',
      '',
    ].join('\n')
    const notices: string[] = []
    const options = { name: 'aria2.txt', notice: (notice: string) => void notices.push(notice) }
    expect(await readAll(text, options)).toEqual([
      { line: 2, entry: { ...onServer(1), path: 'a b.csv', checksum: { algorithm: 'md5', hex: md5 } } },
      { line: 6, entry: { ...onServer(2), path: 'raw/2024/' } },
      { line: 8, entry: { ...onServer(3), path: 'raw/c.csv' } },
    ])
    expect(notices).toEqual(['aria2.txt: options not used: "split"'])
    expect(await errorsOf(`${api}/1\n out=a\nhttps://other.example/2\n`)).toEqual([
      expect.stringContaining('manifest:3: server https://other.example is not given'),
    ])
  })
})

describe('NDJSON', () => {
  it('takes the names of the columns as keys', async () => {
    const md5 = 'd41d8cd98f00b204e9800998ecf8427e'
    const lines = [
      { fileId: 42, path: 'a b.csv', size: 0, md5, extra: { x: 1 }, version: null },
      { kind: 'zip', ids: [1, 2] },
      { id: '43', checksum: { type: 'MD5', value: md5 } },
    ]
    expect(await entriesOf(lines.map((line) => JSON.stringify(line)).join('\n\n'))).toEqual([
      { ...file(42), path: 'a b.csv', size: 0, checksum: { algorithm: 'md5', hex: md5 } },
      { target: { kind: 'zip', files: [1, 2] } },
      { ...file(43), checksum: { algorithm: 'md5', hex: md5 } },
    ])
  })

  it('refuses misspelt keys as columns are, and names the others once', async () => {
    const text = '{"id":1,"Versoin":"1.0"}\n{"id":2,"rating":3}\n{"id":3,"rating":4,"description":"x"}\n'
    expect(await errorsOf(text, { name: 'm.ndjson' })).toEqual([
      expect.stringContaining('m.ndjson:1: there is no column "Versoin": did you mean version?'),
    ])
    const notices: string[] = []
    await readAll(text, { name: 'm.ndjson', ignoreColumns: true, notice: (notice) => void notices.push(notice) })
    expect(notices).toEqual(['m.ndjson: columns not used: "Versoin", "rating"'])
  })

  it('names each bad line', async () => {
    const messages = await errorsOf(
      '{"id":1}\n{"id":\n[true]\n{"id":true}\n{"id":12345678901234567890}\n{"path":"x"}\n',
      {
        name: 'm.ndjson',
      },
    )
    expect(messages.map((message) => message.slice(0, 11))).toEqual([2, 3, 4, 5, 6].map((n) => `m.ndjson:${n}:`))
  })
})

describe('a BagIt fetch.txt', () => {
  it('keeps the path below data/ and decodes line ends in it', async () => {
    const url = 'https://dv.example.edu/api/access/datafile'
    const text = `${url}/1 12 data/a b.csv\n${url}/2\t-\tdata/x%0Ay%25.csv\n`
    expect(await entriesOf(text, { name: 'bag/fetch.txt' })).toEqual([
      { ...file(1), server: SERVERS[0], size: 12, path: 'data/a b.csv' },
      { ...file(2), server: SERVERS[0], path: 'data/x\ny%.csv' },
    ])
  })

  it('refuses paths that leave data/ and lines of another shape', async () => {
    const url = 'https://dv.example.edu/api/files/1'
    const text = `${url} 1 ../x\n${url} 1 data/../../x\n${url} many data/x\nhttps://other.example/api/files/1 1 data/x\n`
    expect(await errorsOf(text, { name: 'fetch.txt' })).toEqual([
      expect.stringContaining('fetch.txt:1: path "../x" is not below data/'),
      expect.stringContaining('fetch.txt:2: path'),
      expect.stringContaining('fetch.txt:3: '),
      expect.stringContaining('fetch.txt:4: server https://other.example is not given'),
    ])
  })
})

describe('the format', () => {
  it.each([
    ['m.csv', '1', 'csv'],
    ['M.TSV', '1', 'tsv'],
    ['m.jsonl', '', 'ndjson'],
    ['m.jsonl', '[\n  1,\n  2\n]\n', 'json'],
    ['bag/fetch.txt', '', 'bagit'],
    ['m.json', '{"status":"OK","data":[]}', 'json'],
    ['m.json', '{"id":1}\n{"id":2}\n', 'ndjson'],
    ['-', '{"id":1}\n', 'json'],
    ['-', '{"id":1}\n{"id":2}', 'ndjson'],
    ['-', '{"latestVersion":{}}', 'json'],
    ['-', '{\n"status"', 'json'],
    ['-', '[1]', 'json'],
    ['-', 'sep=;\nid;path\n', 'csv'],
    ['-', '"doi:10.5072/A",\n', 'list'],
    ['ids.csv', 'https://dv.example.edu/api/access/datafiles/1,2', 'list'],
    ['-', 'https://dv.example.edu/api/access/datafile/1,raw/a.csv', 'csv'],
    ['-', 'doi:10.5072/FK2/ABC,raw/a.csv', 'csv'],
    ['-', 'https://dv.example.edu/api/access/datafile/1\n  out=x\n', 'aria2'],
    ['-', '1\n2', 'list'],
    ['-', 'doi:10.5072/A', 'list'],
    ['-', 'https://dv.example.edu/dataset.xhtml?persistentId=doi:10.5072/A&version=1.0', 'list'],
    ['-', '# made by hand\n\nid,path\n', 'csv'],
    ['-', 'persistentId\n', 'csv'],
    ['-', '"File ID";"path"\n', 'csv'],
    ['-', '42,a.csv\n', 'csv'],
    ['m.txt', 'id\tfilename\tmd5\n', 'tsv'],
    ['m.txt', 'https://x.example/1 - data/x', 'bagit'],
    ['m', 'anything else', 'list'],
  ])('of %s that begins %j is %s', (name, head, format) => {
    expect(detectFormat(name, head)).toBe(format)
  })

  it('is told to the caller, who may also name it', async () => {
    const options = { name: '-', servers: SERVERS }
    expect((await openManifest(inPieces('id,path\n'), options)).format).toBe('csv')
    expect((await openManifest(inPieces('id,path\n'), { ...options, format: 'list' })).format).toBe('list')
    expect(await errorsOf('nonsense\n', { name: '-' })).toEqual([expect.stringMatching(/^standard input:1: /)])
  })
})

describe('what is pasted into a page', () => {
  it('has lines and no name, and no flags are offered', async () => {
    const pasted = { name: '-', pasted: true }
    const elsewhere = 'https://elsewhere.example/api/access/datafile/1\n'
    expect(await errorsOf(`42\nnonsense\n${elsewhere}`, pasted)).toEqual([
      expect.stringMatching(/^line 2: /),
      'line 3: server https://elsewhere.example is not served here: choose a server of this dashboard, or remove the line',
    ])
    expect(await errorsOf('[{"id": 1}, {', pasted)).toEqual([expect.stringMatching(/^line 1: /)])
  })
})

describe('any manifest', () => {
  it('is read from a path, and one that cannot be read is named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dataferry-manifest-'))
    try {
      const path = join(folder, 'ids.txt')
      await writeFile(path, '1\n2\n')
      const read = async (name: string): Promise<number> => {
        let lines = 0
        for await (const line of readManifest(name, { name, servers: SERVERS })) lines += Number('entry' in line)
        return lines
      }
      expect(await read(path)).toBe(2)
      await expect(read(join(folder, 'none.csv'))).rejects.toThrow('none.csv: the manifest cannot be read (ENOENT)')
      await expect(read(folder)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('closes its source when the caller leaves early', async () => {
    let closed = false
    async function* endless(): AsyncIterable<Uint8Array> {
      try {
        for (;;) yield await Promise.resolve(Buffer.from('1\n'.repeat(1000)))
      } finally {
        closed = true
      }
    }
    for await (const line of readManifest(endless(), { name: '-', servers: SERVERS })) if (line.line === 5) break
    expect(closed).toBe(true)
  })

  it('of any bytes gives numbered lines or numbered errors, in order, and at least one', async () => {
    const parts = fc.constantFrom(
      '"',
      ',',
      '\n',
      '\r',
      '{',
      '}',
      '[',
      ']',
      ':',
      '\\',
      '1',
      'id',
      'data',
      'é',
      ' ',
      '\t',
      '#',
      '@',
      'e',
    )
    const text = fc.array(parts, { maxLength: 60 }).map((pieces) => Buffer.from(pieces.join('')))
    const header = fc
      .tuple(fc.constantFrom('id,path\n', '{"data":[', '[', ''), text)
      .map(([start, rest]) => Buffer.concat([Buffer.from(start), rest]))
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), text, header)
    await fc.assert(
      fc.asyncProperty(
        bytes,
        fc.constantFrom('auto' as const, ...MANIFEST_FORMATS),
        fc.integer({ min: 1, max: 64 }),
        async (content, format, size) => {
          const lines = await readAll(content, { format }, size)
          expect(lines.length).toBeGreaterThan(0)
          let last = 1
          for (const line of lines) {
            expect(line.line).toBeGreaterThanOrEqual(last)
            last = line.line
            if ('error' in line) expect(line.error.message.startsWith(`manifest:${line.line}: `)).toBe(true)
          }
          expect(await readAll(content, { format }, 1000)).toEqual(lines)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('of 200,000 lines is read whole', async () => {
    const text = Array.from({ length: 200_000 }, (_, n) => `${n + 1},raw/${n}.csv,${n}`).join('\n')
    let sum = 0
    const source = inPieces(`id,path,size\n${text}`, 65_536)
    for await (const line of readManifest(source, { name: 'm.csv', servers: SERVERS })) sum += Number('entry' in line)
    expect(sum).toBe(200_000)
  })
})
