import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { HoldingFile } from './holding.ts'

const schema = z.looseObject({
  'ore:describes': z.looseObject({ 'ore:aggregates': z.array(z.unknown()).optional() }),
})
const fileSchema = z.looseObject({
  '@id': z.string(),
  'schema:name': z.string(),
  'schema:fileFormat': z.string().optional(),
  'dvcore:directoryLabel': z.string().optional(),
})

type AboutFile = Pick<HoldingFile, 'id' | 'contentType'>

/**
 * What an OAI-ORE map says of files, by their path in the dataset.
 * @see OREMap.java of IQSS/dataverse
 */
export function oreFiles(map: Uint8Array | undefined): ReadonlyMap<string, AboutFile> {
  const parsed = schema.safeParse(map && parseJson(Buffer.from(map).toString('utf8')))
  const files = new Map<string, AboutFile>()
  for (const one of parsed.data?.['ore:describes']['ore:aggregates'] ?? []) {
    const file = fileSchema.safeParse(one).data
    if (!file) continue
    const path = [file['dvcore:directoryLabel'], file['schema:name']].filter(Boolean).join('/')
    files.set(path, { id: file['@id'], contentType: file['schema:fileFormat'] })
  }
  return files
}

/** Files with what the map says of them. */
export async function* withOre(
  files: AsyncIterable<HoldingFile>,
  about: ReadonlyMap<string, AboutFile>,
): AsyncGenerator<HoldingFile, void> {
  for await (const file of files) {
    const { id, contentType } = about.get(file.path) ?? {}
    yield { ...file, id: id ?? file.id, contentType: file.contentType ?? contentType }
  }
}
