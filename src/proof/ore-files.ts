import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { safeFilePath } from '../model/path.ts'
import { pidUrl } from '../model/pid-url.ts'
import { checksumsOf } from '../model/receipt.ts'
import type { HoldingFile } from './holding.ts'

const schema = z.looseObject({
  'ore:describes': z.looseObject({
    'ore:aggregates': z.array(z.unknown()).optional(),
    'schema:includedInDataCatalog': z.string().optional().catch(undefined),
  }),
})
const fileSchema = z.looseObject({
  '@id': z.string(),
  'schema:name': z.string(),
  'schema:fileFormat': z.string().optional(),
  'dvcore:directoryLabel': z.string().optional(),
  'dvcore:checksum': z.looseObject({ '@value': z.string() }).optional().catch(undefined),
})

type AboutFile = Pick<HoldingFile, 'id' | 'contentType'>

function describes(map: Uint8Array | undefined): z.infer<typeof schema>['ore:describes'] | undefined {
  return schema.safeParse(map && parseJson(Buffer.from(map).toString('utf8'))).data?.['ore:describes']
}

/** The name of the catalogue that an OAI-ORE map says its dataset is in. */
export function oreCatalog(map: Uint8Array | undefined): string | undefined {
  return describes(map)?.['schema:includedInDataCatalog']
}

/**
 * What an OAI-ORE map says of files.
 * @see OREMap.java of IQSS/dataverse
 */
export class OreFiles {
  readonly #byId = new Map<string, AboutFile>()
  /** Files with a PID, of which a mirror knows the server's id only: by path and checksum. */
  readonly #byPath = new Map<string, AboutFile>()

  constructor(map: Uint8Array | undefined) {
    for (const one of describes(map)?.['ore:aggregates'] ?? []) {
      const file = fileSchema.safeParse(one).data
      if (!file) continue
      const { '@id': id, 'schema:fileFormat': contentType, 'dvcore:checksum': checksum } = file
      this.#byId.set(keyOf(id), { id, contentType })
      const { path } = safeFilePath(file['dvcore:directoryLabel'] ?? '', file['schema:name'])
      if (!PAGE.test(id) && checksum) this.#byPath.set(placeKey(path, checksum['@value']), { id, contentType })
    }
  }

  /** Its name is not asked alone: it may have been changed here, to one that another file has there. */
  of(file: HoldingFile): AboutFile | undefined {
    const known = file.id === undefined ? undefined : this.#byId.get(keyOf(file.id))
    if (known) return known
    const keys = checksumsOf(file).map(({ hex }) => placeKey(file.path, hex))
    return keys.map((key) => this.#byPath.get(key)).find((one) => one !== undefined)
  }
}

/** The page of a file that has no PID. */
const PAGE = /\/file\.xhtml\?fileId=(\d{1,18})$/

/** One server may be known by several addresses. */
function keyOf(id: string): string {
  return PAGE.exec(id)?.[1] ?? pidUrl(id).toLowerCase()
}

function placeKey(path: string, hex: string): string {
  return `${hex.toLowerCase()} ${path}`
}

/** Files with what the map says of them. */
export async function* withOre(files: AsyncIterable<HoldingFile>, about: OreFiles): AsyncGenerator<HoldingFile, void> {
  for await (const file of files) {
    const { id, contentType } = about.of(file) ?? {}
    yield { ...file, id: id ?? file.id, contentType: file.contentType ?? contentType }
  }
}
