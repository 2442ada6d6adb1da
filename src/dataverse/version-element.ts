import { z } from 'zod'
import { filled, some } from '../model/file-element.ts'
import type { ListedVersion } from '../model/listing.ts'

const text = z.string().nullish()
const count = z.number().nullish()

/** Terms of use that stand in place of a licence, and what else is said with them (Printer:658-722). */
const TERMS_OF_USE = [
  'termsOfUse',
  'confidentialityDeclaration',
  'specialPermissions',
  'restrictions',
  'citationRequirements',
  'depositorRequirements',
  'conditions',
  'disclaimer',
]
const MORE_TERMS = ['termsOfAccess', 'dataAccessPlace', 'availabilityStatus', 'contactForAccess']

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
    ...some('terms', ownTerms(element)),
  }
}

function numbered(major: number | null | undefined, minor: number | null | undefined): string | undefined {
  return typeof major !== 'number' ? undefined : `${major}.${minor ?? 0}`
}

/** @returns undefined for a dataset under a licence */
function ownTerms(element: VersionElement): Readonly<Record<string, string>> | undefined {
  const texts = (names: readonly string[]): [string, string][] =>
    names.flatMap((name) => {
      const said = element[name]
      return typeof said === 'string' && said.trim() !== '' ? [[name, said]] : []
    })
  const terms = texts(TERMS_OF_USE)
  return terms.length === 0 ? undefined : Object.fromEntries([...terms, ...texts(MORE_TERMS)])
}
