import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'

interface Person {
  readonly name: string
  readonly affiliation?: string | undefined
  /** As an address where there is one: `https://orcid.org/…`. */
  readonly identifier?: string | undefined
}

/** What a dataset says of itself, as far as formats of proof repeat it. */
export interface Description {
  /** Nobody could be asked what the dataset says of itself. */
  readonly isUnknown?: boolean | undefined
  readonly title?: string | undefined
  readonly text?: string | undefined
  readonly authors: readonly Person[]
  readonly contacts: readonly { readonly name?: string | undefined; readonly email?: string | undefined }[]
  readonly keywords: readonly string[]
  readonly license?: { readonly name: string; readonly url?: string | undefined } | undefined
  readonly terms?: string | undefined
  readonly releasedAt?: string | undefined
}

const NO_DESCRIPTION: Description = { isUnknown: true, authors: [], contacts: [], keywords: [] }

const fieldSchema = z.looseObject({ typeName: z.string(), value: z.unknown() })
const versionSchema = z.looseObject({
  metadataBlocks: z
    .looseObject({ citation: z.looseObject({ fields: z.array(z.unknown()) }).optional() })
    .optional()
    .catch(undefined),
  license: z
    .union([
      z.string().transform((name) => ({ name, uri: undefined })),
      z.looseObject({ name: z.string(), uri: z.string().nullish() }),
    ])
    .nullish()
    .catch(undefined),
  termsOfUse: z.string().nullish().catch(undefined),
  releaseTime: z.iso.datetime({ offset: true }).nullish().catch(undefined),
})

/**
 * Reads a version's own JSON; what is not as Dataverse writes it is left out.
 * @see JsonPrinter.java of IQSS/dataverse, json(DatasetVersion); citation.tsv for the names of the fields
 */
export function describe(json: Uint8Array | undefined): Description {
  const parsed = versionSchema.safeParse(json && parseJson(Buffer.from(json).toString('utf8')))
  if (!parsed.success) return NO_DESCRIPTION
  const { metadataBlocks, license, termsOfUse, releaseTime } = parsed.data
  const fields = new Fields(metadataBlocks?.citation?.fields ?? [])
  return {
    title: fields.text('title'),
    text: fields
      .each('dsDescription')
      .flatMap((one) => one.text('dsDescriptionValue') ?? [])
      .map(withoutTags)
      .join('\n')
      .trim(),
    authors: fields.each('author').flatMap((one) => {
      const name = one.text('authorName')
      const identifier = personUrl(one.text('authorIdentifierScheme'), one.text('authorIdentifier'))
      return name === undefined ? [] : [{ name, affiliation: one.text('authorAffiliation'), identifier }]
    }),
    contacts: fields.each('datasetContact').map((one) => ({
      name: one.text('datasetContactName'),
      email: one.text('datasetContactEmail'),
    })),
    keywords: fields.each('keyword').flatMap((one) => one.text('keywordValue') ?? []),
    // What Dataverse before 5.10 says of a dataset with terms of its own.
    license: license && license.name !== 'NONE' ? { name: license.name, url: license.uri || undefined } : undefined,
    terms: termsOfUse ?? undefined,
    releasedAt: releaseTime ?? undefined,
  }
}

/** Fields by their type: of a block in a list, of a compound by name. */
class Fields {
  readonly #values = new Map<string, unknown>()

  constructor(fields: Iterable<unknown>) {
    for (const field of fields) {
      const parsed = fieldSchema.safeParse(field)
      if (parsed.success) this.#values.set(parsed.data.typeName, parsed.data.value)
    }
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === 'string' && value.trim() !== '' ? value : undefined
  }

  each(name: string): readonly Fields[] {
    const value = this.#values.get(name)
    const some: readonly unknown[] = Array.isArray(value) ? value : [value]
    return some.flatMap((one) => (typeof one === 'object' && one !== null ? [new Fields(Object.values(one))] : []))
  }
}

/** Descriptions may hold the HTML that their form allows. */
function withoutTags(text: string): string {
  return text.slice(0, LONGEST_TEXT).replaceAll(/<\/?[a-zA-Z][^<>]{0,500}>/g, ' ')
}

const LONGEST_TEXT = 100_000

/** An address of a person, where the scheme has one. */
function personUrl(scheme: string | undefined, id: string | undefined): string | undefined {
  if (id === undefined) return undefined
  if (/^https?:\/\/[\x21-\x7e]+$/.test(id)) return id
  if (scheme?.toUpperCase() === 'ORCID' && /^[\dX-]{19}$/.test(id)) return `https://orcid.org/${id}`
  return undefined
}
