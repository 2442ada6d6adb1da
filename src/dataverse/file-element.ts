import { z } from 'zod'
import { parseChecksum, type Checksum } from '../model/checksum.ts'
import type { Withheld } from '../model/item.ts'
import type { ListedFile, ListedVersion } from '../model/listing.ts'

const text = z.string().nullish()
const count = z.number().nullish()

/**
 * A file as every listing of the server describes it. Unknown members are kept; of the known ones all but the id may
 * be null or missing, since the server leaves out what it does not know.
 * @see the protocol note §6.1 (JsonPrinter.java:996-1131)
 */
export const fileElementSchema = z.looseObject({
  label: text,
  directoryLabel: text,
  restricted: z.boolean().nullish(),
  dataFile: z.looseObject({
    id: z.number().int(),
    persistentId: text,
    filename: text,
    contentType: text,
    filesize: count,
    originalFileFormat: text,
    originalFileSize: count,
    originalFileName: text,
    md5: text,
    checksum: z.looseObject({ type: text, value: text }).nullish(),
    tabularData: z.boolean().nullish(),
    embargo: z.looseObject({ dateAvailable: text }).nullish(),
    retention: z.looseObject({ dateUnavailable: text }).nullish(),
  }),
})
/** A file element, checked. */
export type FileElement = z.infer<typeof fileElementSchema>

/** A dataset version as the server describes it. */
export const versionElementSchema = z.looseObject({
  datasetPersistentId: text,
  versionNumber: count,
  versionMinorNumber: count,
  versionState: text,
  guestbookId: count,
  metadataBlocks: z
    .looseObject({
      citation: z
        .looseObject({ fields: z.array(z.looseObject({ typeName: text, value: z.unknown() })).nullish() })
        .nullish(),
    })
    .nullish(),
})
/** A version element, checked. */
export type VersionElement = z.infer<typeof versionElementSchema>

/** Our view of a file element; `today` is the day (`2026-07-22`) that embargo and retention are judged by. */
export function listedFile(element: FileElement, today: string): ListedFile {
  const { dataFile } = element
  const tabular = dataFile.tabularData ?? filled(dataFile.originalFileFormat) !== undefined
  return {
    id: dataFile.id,
    ...some('pid', filled(dataFile.persistentId)),
    label: filled(element.label) ?? filled(dataFile.filename) ?? String(dataFile.id),
    directory: (element.directoryLabel ?? '').replace(/^\/+/, ''),
    // -1 stands for unknown.
    ...some('size', atLeast(0, dataFile.filesize)),
    ...some('checksum', checksumOf(dataFile)),
    ...some('contentType', filled(dataFile.contentType)),
    tabular,
    ...(tabular ? { original: originalOf(dataFile) } : {}),
    ...some('withheld', withheld(element, today)),
  }
}

/** Our view of a dataset version. `dataset` stands in where an old server leaves the PID out. */
export function listedVersion(element: VersionElement, dataset: string | undefined): ListedVersion | undefined {
  const pid = filled(element.datasetPersistentId) ?? dataset
  const { versionState, versionNumber, versionMinorNumber } = element
  const version = versionState === 'DRAFT' ? ':draft' : numbered(versionNumber, versionMinorNumber)
  if (pid === undefined || version === undefined) return undefined
  const title = element.metadataBlocks?.citation?.fields?.find(({ typeName }) => typeName === 'title')?.value
  return {
    dataset: pid,
    version,
    ...(typeof title === 'string' && title !== '' ? { title } : {}),
    ...some('guestbookId', element.guestbookId ?? undefined),
  }
}

function numbered(major: number | null | undefined, minor: number | null | undefined): string | undefined {
  return typeof major !== 'number' ? undefined : `${major}.${minor ?? 0}`
}

function originalOf(dataFile: FileElement['dataFile']): NonNullable<ListedFile['original']> {
  return {
    ...some('name', filled(dataFile.originalFileName)),
    // Old data says 0 or -1 (IQSS/dataverse#8736); an empty file would not have been ingested.
    ...some('size', atLeast(1, dataFile.originalFileSize)),
    ...some('contentType', filled(dataFile.originalFileFormat)),
  }
}

function checksumOf({ checksum, md5 }: FileElement['dataFile']): Checksum | undefined {
  const stated = checksum?.type && checksum.value ? parseChecksum(checksum.type, checksum.value) : undefined
  return stated ?? (md5 ? parseChecksum('MD5', md5) : undefined)
}

/** By the server's rule: embargoed while today < dateAvailable, expired while today > dateUnavailable. ISO days sort as text. */
function withheld({ dataFile, restricted }: FileElement, today: string): Withheld | undefined {
  const until = dataFile.retention?.dateUnavailable
  if (until && today > until) return 'retention-expired'
  const from = dataFile.embargo?.dateAvailable
  if (from && today < from) return 'embargoed'
  return restricted ? 'restricted' : undefined
}

function filled(value: string | null | undefined): string | undefined {
  return value === '' ? undefined : (value ?? undefined)
}

function atLeast(least: number, value: number | null | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : undefined
}

/** A property that is there only when its value is. The cast says what TypeScript cannot see of a computed key. */
function some<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V })
}
