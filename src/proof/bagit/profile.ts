import picomatch from 'picomatch'
import { z } from 'zod'
import { DataferryError } from '../../errors.ts'
import { parseJson } from '../../json/parse-json.ts'
import type { Serialization } from '../pack/pack-entry.ts'
import { whyUnsafe } from './paths.ts'
import { valuesOf, type TagField } from './tag-file.ts'

const tagSchema = z.looseObject({
  required: z.boolean().optional(),
  values: z.array(z.string()).optional(),
  repeatable: z.boolean().optional(),
})
const tagsSchema = z.record(z.string(), tagSchema)
const words = z.array(z.string())
const profileSchema = z.looseObject({
  'BagIt-Profile-Info': z.looseObject({ 'BagIt-Profile-Identifier': z.string().optional() }).optional(),
  'Bag-Info': tagsSchema.optional(),
  'Manifests-Required': words.optional(),
  'Manifests-Allowed': words.optional(),
  'Tag-Manifests-Required': words.optional(),
  'Tag-Manifests-Allowed': words.optional(),
  'Tag-Files-Required': words.optional(),
  'Tag-Files-Allowed': words.optional(),
  'Allow-Fetch.txt': z.boolean().optional(),
  'Fetch.txt-Required': z.boolean().optional(),
  'Data-Empty': z.boolean().optional(),
  Serialization: z.enum(['forbidden', 'required', 'optional']).optional(),
  'Accept-Serialization': words.optional(),
  'Accept-BagIt-Version': words.optional(),
  /** Fields of other tag files, which the specification has no word for. */
  'Tag-Files-Info': z.record(z.string(), tagsSchema).optional(),
})
/**
 * What an archive asks of bags.
 * @see https://bagit-profiles.github.io/bagit-profiles-specification/ 1.4
 */
export type Profile = Readonly<z.infer<typeof profileSchema>>

/** Rules that a bag is not compared with: a profile that has one is refused, since the bag might break it. */
const UNKNOWN_RULES = ['Payload-Files-Required', 'Payload-Files-Allowed'] as const

/** Reads a profile. Throws `ARGUMENT_INVALID`. */
export function parseProfile(text: string, name: string): Profile {
  const parsed = profileSchema.safeParse(parseJson(text))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const where = issue && issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : 'it is no JSON object'
    throw new DataferryError('ARGUMENT_INVALID', `${name} is not a BagIt profile: ${where}.`)
  }
  const strange = Object.keys(parsed.data['Tag-Files-Info'] ?? {}).find(
    (file) => whyUnsafe(file) !== undefined || file.startsWith('data/') || ALWAYS_ALLOWED.test(file),
  )
  if (strange !== undefined) {
    const message = `${name} has fields for ${JSON.stringify(strange.slice(0, 200))}, which is no tag file that they can be in.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  }
  const unknown = UNKNOWN_RULES.find((rule) => parsed.data[rule] !== undefined)
  if (unknown === undefined) return parsed.data
  throw new DataferryError('ARGUMENT_INVALID', `${name} has ${unknown}, which dataferry does not check.`)
}

/** What is known of a bag, or will be. */
export interface BagFacts {
  readonly version: string
  readonly serialization: Serialization
  readonly manifests: readonly string[]
  readonly tagManifests: readonly string[]
  /** Of `bag-info.txt`. */
  readonly info: readonly TagField[]
  /** Fields of other tag files that were read, by path. */
  readonly others: ReadonlyMap<string, readonly TagField[]>
  /** Paths of all tag files, manifests among them. */
  readonly tagFiles: readonly string[]
  readonly hasFetch: boolean
  /** Undefined: not known yet. */
  readonly isEmpty: boolean | undefined
}

/** Every rule of a profile that a bag breaks, a sentence each. */
export function profileProblems(profile: Profile, facts: BagFacts): readonly string[] {
  return [
    ...tagProblems(profile['Bag-Info'] ?? {}, facts.info, 'bag-info.txt'),
    ...Object.entries(profile['Tag-Files-Info'] ?? {}).flatMap(([file, tags]) =>
      tagProblems(tags, facts.others.get(file) ?? [], file),
    ),
    ...setProblems('manifest', facts.manifests, profile['Manifests-Required'], profile['Manifests-Allowed']),
    ...setProblems(
      'tagmanifest',
      facts.tagManifests,
      profile['Tag-Manifests-Required'],
      profile['Tag-Manifests-Allowed'],
    ),
    ...fileProblems(profile, facts),
    ...formProblems(profile, facts),
  ]
}

function tagProblems(
  tags: Readonly<Record<string, z.infer<typeof tagSchema>>>,
  fields: readonly TagField[],
  file: string,
): readonly string[] {
  return Object.entries(tags).flatMap(([label, { required, values, repeatable }]) => {
    const found = valuesOf(fields, label)
    const problems: string[] = []
    if (required && found.every((value) => value === '')) problems.push(`${file} needs ${label}`)
    if (repeatable === false && found.length > 1) problems.push(`${file} may have ${label} only once`)
    const others = values && values.length > 0 ? found.filter((value) => !values.includes(value)) : []
    for (const value of others) {
      problems.push(`${label} in ${file} is ${JSON.stringify(value)}: it must be ${(values ?? []).join(', ')}`)
    }
    return problems
  })
}

function setProblems(
  kind: string,
  present: readonly string[],
  required: readonly string[] = [],
  allowed: readonly string[] | undefined,
): readonly string[] {
  const missing = required.filter((one) => !present.includes(one))
  const foreign = allowed ? present.filter((one) => !allowed.includes(one)) : []
  return [
    ...missing.map((one) => `${kind}-${one}.txt is required`),
    ...foreign.map((one) => `${kind}-${one}.txt is not allowed`),
  ]
}

/** Never judged by `Tag-Files-Allowed`. */
const ALWAYS_ALLOWED = /^(?:bagit\.txt|bag-info\.txt|fetch\.txt|(?:tag)?manifest-[^/]+\.txt)$/

function fileProblems(profile: Profile, { tagFiles }: BagFacts): readonly string[] {
  const { 'Tag-Files-Required': required = [], 'Tag-Files-Allowed': allowed } = profile
  const missing = required.filter((one) => !tagFiles.includes(one)).map((one) => `${one} is required`)
  if (!allowed) return missing
  // As the specification matches: * crosses folders.
  const mayBe = allowed.map((glob) => picomatch(glob, { bash: true, dot: true }))
  const foreign = tagFiles.filter((one) => !ALWAYS_ALLOWED.test(one) && !mayBe.some((matches) => matches(one)))
  return [...missing, ...foreign.map((one) => `${one} is not allowed`)]
}

function formProblems(profile: Profile, facts: BagFacts): readonly string[] {
  const problems: string[] = []
  const { version, serialization, hasFetch, isEmpty } = facts
  const versions = profile['Accept-BagIt-Version']
  if (versions && !versions.includes(version)) {
    problems.push(`BagIt ${version} is not accepted, only ${versions.join(', ')}`)
  }
  if (hasFetch && profile['Allow-Fetch.txt'] === false) problems.push('fetch.txt is not allowed')
  if (!hasFetch && profile['Fetch.txt-Required']) problems.push('fetch.txt is required')
  if (isEmpty === false && profile['Data-Empty']) problems.push('data/ must be empty')
  const isPacked = serialization !== 'folder'
  if (!isPacked && profile.Serialization === 'required') {
    problems.push(`it must be one file: ${(profile['Accept-Serialization'] ?? []).join(', ')}`)
  }
  if (isPacked && profile.Serialization === 'forbidden') problems.push('it must be a folder')
  const accepted = profile['Accept-Serialization']
  if (isPacked && accepted && !accepted.some((type) => TYPES[serialization].includes(type))) {
    problems.push(`${serialization} is not accepted, only ${accepted.join(', ')}`)
  }
  return problems
}

const TYPES: Readonly<Record<Serialization, readonly string[]>> = {
  folder: [],
  zip: ['application/zip', 'application/x-zip', 'application/x-zip-compressed'],
  tar: ['application/tar', 'application/x-tar'],
}
