import { z } from 'zod'
import { parseChecksum, type Checksum } from './checksum.ts'
import type { Withheld } from './item.ts'
import type { ListedFile, MislistedFile } from './listing.ts'

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
    previousDataFileId: count,
  }),
})
/** -1 stands for unknown. */
const size = z.number().int().min(-1).nullish()

/** As a server is believed: a size that cannot be one makes everything else about the file doubtful, too. */
export const servedElementSchema = fileElementSchema.extend({
  dataFile: fileElementSchema.shape.dataFile.extend({ filesize: size, originalFileSize: size }),
})

/** A file element, checked. */
export type FileElement = z.infer<typeof fileElementSchema>

/** Our view of a file element; `today` is the day (`2026-07-22`) used for embargo and retention. */
export function listedFile(element: FileElement, today: string): ListedFile {
  const { dataFile } = element
  const checksum = checksumOf(dataFile)
  const tabular = dataFile.tabularData ?? filled(dataFile.originalFileFormat) !== undefined
  return {
    id: dataFile.id,
    ...some('pid', filled(dataFile.persistentId)),
    label: filled(element.label) ?? filled(dataFile.filename) ?? String(dataFile.id),
    directory: withoutStartSlashes(element.directoryLabel ?? ''),
    // -1 means unknown, and so does 0 unless something else points to an empty file.
    ...some('size', atLeast(checksum ? 0 : 1, dataFile.filesize)),
    ...some('checksum', checksum),
    ...some('contentType', filled(dataFile.contentType)),
    tabular,
    ...(tabular ? { original: originalOf(dataFile) } : {}),
    ...some('withheld', withheld(element, today)),
    ...some('embargoEnds', embargoEnds(element)),
    ...some('availableFrom', embargoEnd(element, today)),
    ...some('availableUntil', retentionEnd(element, today)),
    // −1 stands for none.
    ...some('replaces', atLeast(1, dataFile.previousDataFileId)),
  }
}

const word = z.string().catch('')
const named = z.looseObject({
  label: word,
  directoryLabel: word,
  dataFile: z.looseObject({ id: z.unknown(), filename: word }).catch({ id: undefined, filename: '' }),
})

/**
 * What can be told of an element that is none.
 * @param where it is listed, for the message
 * @param problem the first thing that is wrong with it
 */
export function mislistedFile(value: unknown, where: string, problem: string): MislistedFile {
  const { label, directoryLabel, dataFile } = named.catch(named.parse({})).parse(value)
  const id = ['string', 'number'].includes(typeof dataFile.id) ? `file ${String(dataFile.id)}` : 'a file without id'
  const name = [label, dataFile.filename].find((one) => one !== '')
  return {
    label: name ?? id,
    directory: withoutStartSlashes(directoryLabel),
    mislisted: `${where} lists ${name === undefined ? id : `${name} (${id})`} in a way that cannot be right: ${problem}.`,
  }
}

function withoutStartSlashes(path: string): string {
  let start = 0
  while (path.charAt(start) === '/') start++
  return path.slice(start)
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

function embargoEnds({ dataFile }: FileElement): string | undefined {
  const from = dataFile.embargo?.dateAvailable
  return from && ISO_DAY.test(from) ? from : undefined
}

function embargoEnd(element: FileElement, today: string): string | undefined {
  const from = embargoEnds(element)
  return from !== undefined && today < from ? from : undefined
}

function retentionEnd({ dataFile }: FileElement, today: string): string | undefined {
  const until = dataFile.retention?.dateUnavailable
  return until && ISO_DAY.test(until) && today > until ? until : undefined
}

const ISO_DAY = /^\d{4}-\d{2}-\d{2}$/

/** The text, unless it is empty. */
export function filled(value: string | null | undefined): string | undefined {
  return value === '' ? undefined : (value ?? undefined)
}

function atLeast(least: number, value: number | null | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least ? value : undefined
}

/** A property that exists only if its value does. The cast says what TypeScript cannot infer for a computed key. */
export function some<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V })
}
