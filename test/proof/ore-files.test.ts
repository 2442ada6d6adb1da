import { expect, it } from 'vitest'
import type { HoldingFile } from '../../src/proof/holding.ts'
import { OreFiles } from '../../src/proof/ore-files.ts'

const SERVER = 'https://demo.dataverse.org'
const MD5 = 'd84985e94dde671f318076bd7a137f15'
const OTHER = '9e107d9d372bb6826bd81d3542a419d6'

interface Mapped {
  readonly id: string
  readonly name: string
  readonly folder?: string
  readonly type?: string
  readonly md5?: string
}

/** As Dataverse 6.11 exports it. */
function mapOf(...files: readonly Mapped[]): OreFiles {
  const aggregates = files.map(({ id, name, folder, type = 'text/plain', md5 = MD5 }) => ({
    '@id': id,
    'schema:name': name,
    'dvcore:directoryLabel': folder,
    'schema:fileFormat': type,
    'dvcore:checksum': { '@type': 'http://www.w3.org/2001/04/xmldsig-more#md5', '@value': md5 },
  }))
  return new OreFiles(Buffer.from(JSON.stringify({ 'ore:describes': { 'ore:aggregates': aggregates } })))
}

const page = (id: number, server = SERVER): string => `${server}/file.xhtml?fileId=${id}`
const file = (path: string, more: Partial<HoldingFile> = {}): HoldingFile => ({
  place: path,
  path,
  size: 1,
  checksum: { algorithm: 'md5', hex: MD5 },
  ...more,
})

it('a file whose name was changed here is known by its id, and not taken for one that has that name there', () => {
  const map = mapOf(
    { id: page(1), name: 'Case.txt', type: 'a/a' },
    { id: page(2), name: 'case.txt', type: 'b/b' },
    { id: page(3), name: 'case (2).txt', type: 'c/c' },
  )
  const found = map.of(file('case (2).txt', { id: page(2, 'http://localhost:8080') }))
  expect(found).toEqual({ id: page(2), contentType: 'b/b' })
  expect(map.of(file('case (2).txt', { id: page(4) }))).toBeUndefined()
})

it('a file with a PID is known by that, in any case and form', () => {
  const pid = 'doi:10.5072/FK2/A/B'
  const map = mapOf({ id: pid, name: 'a.txt', type: 'a/a' })
  expect(map.of(file('b.txt', { id: 'https://doi.org/10.5072/fk2/a/b' }))).toEqual({ id: pid, contentType: 'a/a' })
})

it('a file with a PID of which only the id of the server is known is known by its safe name and its bytes', () => {
  const pid = 'doi:10.5072/FK2/A/B'
  const map = mapOf({ id: pid, name: 'a:b.txt', folder: 'sub', type: 'a/a', md5: MD5.toUpperCase() })
  expect(map.of(file('sub/a_b.txt', { id: page(7) }))).toEqual({ id: pid, contentType: 'a/a' })
  const other = { id: page(7), checksum: { algorithm: 'md5', hex: OTHER } } as const
  expect(map.of(file('sub/a_b.txt', other))).toBeUndefined()
})

it.each([undefined, '', '[]', '{"ore:describes":{"ore:aggregates":[7,{"@id":1}]}}'])(
  'a map %j says nothing',
  (text) => {
    expect(new OreFiles(text === undefined ? text : Buffer.from(text)).of(file('a', { id: page(1) }))).toBeUndefined()
  },
)
