import { describe, expect, it } from 'vitest'
import { withSidecars } from '../../src/mirror/croissant.ts'
import { names } from '../../src/mirror/order.ts'
import type { HeldFile, HeldVersion } from '../../src/mirror/state.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { ORDER } from './order.ts'

const FOLDER = 'doi-10.5072-FK2-CY7BWA'
const MD5 = 'd84985e94dde671f318076bd7a137f15'
const SHA256 = 'ab'.repeat(32)
const md5 = { algorithm: 'md5', hex: MD5 } as const
const sha256 = { algorithm: 'sha256', hex: SHA256 } as const

/** As Dataverse 6.10 exports it. */
const FILE = {
  '@type': 'cr:FileObject',
  '@id': 'code/compute.py',
  name: 'compute.py',
  encodingFormat: 'text/x-python',
  md5: MD5,
  contentSize: '15',
  description: '',
  contentUrl: 'http://localhost:8080/api/access/datafile/7',
}
const held = (more: Partial<HeldFile> = {}): HeldFile => ({
  file: 7,
  path: `${FOLDER}/code/compute.py`,
  state: 'current',
  version: '1.0',
  size: 15,
  checksum: md5,
  digests: [sha256],
  ...more,
})

async function sidecar(distribution: readonly unknown[], file: HeldFile, more: Partial<HeldVersion> = {}) {
  const { records } = memorySink()
  const at = (name: string): string => names.metadata('m', FOLDER, '1.0', name)
  const text = JSON.stringify({ '@type': 'sc:Dataset', version: '1.0', distribution })
  await records.write(at('croissant.json'), text)
  const version = { id: 1, number: '1.0', metadata: { 'croissant.json': 'its digest' }, ...more }
  const [after] = await withSidecars(records, ORDER, { folder: FOLDER, versions: [version] }, [file])
  expect(Buffer.from((await records.read(at('croissant.json'))) ?? []).toString()).toBe(text)
  const bytes = await records.read(at('croissant-sha256.json'))
  expect(Object.keys(after?.metadata ?? {}).includes('croissant-sha256.json')).toBe(bytes !== undefined)
  return bytes && (JSON.parse(Buffer.from(bytes).toString()) as { readonly distribution: readonly unknown[] })
}

const LACKING = [{ '@type': 'cr:FileObject', '@id': FILE['@id'], contentUrl: FILE.contentUrl, sha256: SHA256 }]

it('a file of which an export has only the MD5 gets its SHA-256 in a sidecar, as a node of the same name', async () => {
  expect(await sidecar([FILE], held())).toMatchObject({ version: '1.0', distribution: LACKING })
})

it('so does one whose SHA-256 stands under a name that Croissant does not know', async () => {
  const made = await sidecar([{ ...FILE, md5: undefined, 'sha-256': SHA256 }], held({ checksum: sha256, digests: [] }))
  expect(made?.distribution).toEqual(LACKING)
})

describe('a file with a PID of its own', () => {
  const contentUrl =
    'http://localhost:8080/api/access/datafile/:persistentId?persistentId=doi:10.5072/FK2/CY7BWA/X&format=original'
  // What Dataverse 6.11 says of `Bär & (Söhne).txt`.
  const object = { ...FILE, '@id': 'dir one/B&auml;r &amp; (S&ouml;hne).txt', contentUrl }

  it('is found by its bytes: the name in the export is HTML, and not always that of the file here', async () => {
    const made = await sidecar([object], held({ path: `${FOLDER}/dir one/Bär & (Söhne) (2).txt` }))
    expect(made?.distribution).toEqual([{ ...LACKING[0], '@id': object['@id'], contentUrl }])
  })

  it.each([
    ['bytes are not known by their SHA-256', object, held({ digests: [] })],
    ['bytes are others', { ...object, md5: '0'.repeat(32) }, held()],
    ['bytes are held in another dataset alone', object, held({ path: 'doi-10.5072-FK2-OTHER/x' })],
    ['address is of another form', { ...object, contentUrl: `${contentUrl}&x=1` }, held()],
  ])('gets nothing where its %s', async (_, one, file) => {
    expect(await sidecar([one], file)).toBeUndefined()
  })
})

it.each([
  ['has it already', [{ ...FILE, sha256: SHA256 }], held()],
  ['is of other bytes than those that are held', [{ ...FILE, md5: '0'.repeat(32) }], held()],
  ['names no checksum by which the bytes are known', [{ ...FILE, md5: undefined }], held()],
  ['names a file whose SHA-256 nobody knows', [FILE], held({ digests: [] })],
  ['names a file that is missing', [FILE], held({ state: 'missing' })],
  [
    'asks for another form of the file',
    [{ ...FILE, contentUrl: `${FILE.contentUrl}?format=RData` }],
    held({ path: 'x' }),
  ],
  ['cannot be understood', [null, 7, { '@id': 7 }, 'x'], held()],
])('nothing is added to an export that %s', async (_, distribution, file) => {
  expect(await sidecar(distribution, file)).toBeUndefined()
})

it('a version that is past keeps what it had', async () => {
  expect(await sidecar([FILE], held(), { past: true })).toBeUndefined()
})
