import { z } from 'zod'
import { filled, some } from '../model/file-element.ts'
import type { ListedVersion } from '../model/listing.ts'

const text = z.string().nullish()
const count = z.number().nullish()

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
