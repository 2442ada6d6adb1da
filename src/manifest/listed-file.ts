import { z } from 'zod'
import { parseChecksum } from '../model/checksum.ts'
import type { Entry } from '../model/entry.ts'
import type { Withheld } from '../model/item.ts'
import type { ListedFile } from '../model/listing.ts'
import { badLine } from './bad-line.ts'

const text = z.string().nullish()
const bytes = z.number().nullish()

/** An element of a Dataverse file listing, as far as we use it; see the protocol note §6.1 (JsonPrinter.java:996-1131). */
const elementSchema = z.object({
  label: z.string().min(1),
  directoryLabel: text,
  restricted: z.boolean().nullish(),
  dataFile: z.object({
    id: z.number().int().positive(),
    persistentId: text,
    contentType: text,
    filesize: bytes,
    tabularData: z.boolean().nullish(),
    originalFileFormat: text,
    originalFileSize: bytes,
    originalFileName: text,
    md5: text,
    checksum: z.object({ type: z.string(), value: z.string() }).nullish(),
    embargo: z.object({ dateAvailable: z.string() }).nullish(),
    retention: z.object({ dateUnavailable: z.string() }).nullish(),
  }),
})
type Element = z.infer<typeof elementSchema>

/** Whether a JSON object is an element of a listing rather than a row of a manifest. */
export function isListingElement(value: object): boolean {
  return 'dataFile' in value
}

/** Reads an element of a Dataverse file listing. Throws a bad line. */
export function readListedFile(value: unknown): Entry {
  const element = elementSchema.safeParse(value)
  if (!element.success) {
    const [issue] = element.error.issues
    throw badLine(`the listed file has a bad ${issue?.path.join('.') ?? 'shape'}: ask the server for the listing again`)
  }
  const listed = listedFile(element.data)
  return { target: { kind: 'file', file: listed.id }, listed }
}

function listedFile({ label, directoryLabel, restricted, dataFile }: Element): ListedFile {
  const { persistentId, contentType } = dataFile
  // `tabularData` came with a later version than the fields about the original.
  const tabular = dataFile.tabularData ?? Boolean(dataFile.originalFileFormat)
  const size = known(dataFile.filesize)
  const checksum = dataFile.checksum
    ? parseChecksum(dataFile.checksum.type, dataFile.checksum.value)
    : parseChecksum('md5', dataFile.md5 ?? '')
  const withheld = withheldBy(restricted, dataFile)
  return {
    id: dataFile.id,
    label,
    directory: directoryLabel ?? '',
    tabular,
    ...(persistentId ? { pid: persistentId } : {}),
    ...(size === undefined ? {} : { size }),
    ...(checksum ? { checksum } : {}),
    ...(contentType ? { contentType } : {}),
    ...(tabular ? { original: originalOf(dataFile) } : {}),
    ...(withheld ? { withheld } : {}),
  }
}

function originalOf(file: Element['dataFile']): NonNullable<ListedFile['original']> {
  const size = known(file.originalFileSize)
  return {
    ...(file.originalFileName ? { name: file.originalFileName } : {}),
    ...(size === undefined ? {} : { size }),
    ...(file.originalFileFormat ? { contentType: file.originalFileFormat } : {}),
  }
}

/** Dataverse writes -1 for a size that it does not know. */
function known(size: number | null | undefined): number | undefined {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined
}

function withheldBy(restricted: boolean | null | undefined, file: Element['dataFile']): Withheld | undefined {
  const today = new Date().toISOString().slice(0, 10)
  if (file.embargo && file.embargo.dateAvailable > today) return 'embargoed'
  if (file.retention && file.retention.dateUnavailable < today) return 'retention-expired'
  return restricted ? 'restricted' : undefined
}
