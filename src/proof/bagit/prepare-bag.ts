import { DataferryError } from '../../errors.ts'
import { ALGORITHMS, type Algorithm } from '../../model/checksum.ts'
import type { Description } from '../description.ts'
import type { Holding } from '../holding.ts'
import { MISSING_FILE, missingProblem, missingText } from '../missing-problem.ts'
import { oreCatalog } from '../ore-files.ts'
import type { Serialization } from '../pack/pack-entry.ts'
import { pidUrl } from '../../model/pid-url.ts'
import type { BagItVersion } from './paths.ts'
import { profileProblems, type Profile } from './profile.ts'
import { tagFileText, valuesOf, type TagField } from './tag-file.ts'

export interface BagOptions {
  readonly serialization: Serialization
  /** Undefined: those that the profile requires, or else SHA-256. */
  readonly algorithms?: readonly Algorithm[] | undefined
  readonly profile?: Profile | undefined
  /** Fields that somebody gave: they replace ours of the same label. */
  readonly info: readonly TagField[]
  /** Says which bag it is when it is looked for again. */
  readonly stamp: string
  /** `dataferry/<version>` */
  readonly software: string
  readonly now: Date
  /** Whether a dataset of which files are missing is bagged without them. */
  readonly allowMissing: boolean
}

/** All of a bag but its payload, checked. */
export interface PreparedBag {
  readonly name: string
  readonly version: BagItVersion
  readonly algorithms: readonly Algorithm[]
  readonly tagAlgorithms: readonly Algorithm[]
  /** Without those that only the payload tells. */
  readonly info: readonly TagField[]
  /** Tag files that are complete, by path. */
  readonly tagFiles: ReadonlyMap<string, Uint8Array | string>
}

/** What a bag is made of, besides the payload. */
export interface BagSubject {
  readonly holding: Pick<Holding, 'name' | 'dataset' | 'missing'>
  readonly description: Description
  /** By file name in `metadata/`. */
  readonly metadata: ReadonlyMap<string, Uint8Array>
}

const PROFILE_ADVICE =
  'Fetch what is missing, or give what the profile requires (--info, --zip, --tar, --algorithm), then run the same command again.'

/** Fields and files that are written when the payload is known. */
const LATER_FIELDS = ['Bag-Size', 'Payload-Oxum']
const LATER_FILES = ['metadata/pid-mapping.txt']

/**
 * Plans a bag before anything of it is written. Rejects with `BAG_REFUSED`, which names everything that stands against it: files
 * that are missing, and each field or file that the profile requires.
 */
export function prepareBag(subject: BagSubject, options: BagOptions): PreparedBag {
  const { profile, serialization, allowMissing } = options
  const { holding } = subject
  const version = profile && !accepts(profile, '1.0') && accepts(profile, '0.97') ? '0.97' : '1.0'
  const algorithms = options.algorithms ?? usualAlgorithms(profile)
  const tagAlgorithms = tagAlgorithmsOf(algorithms, profile)
  const { info, others } = fieldsOf(subject, options)
  const tagFiles = new Map<string, Uint8Array | string>()
  for (const [file, bytes] of subject.metadata) tagFiles.set(`metadata/${file}`, bytes)
  for (const [file, fields] of others) tagFiles.set(file, tagFileText(fields))
  if (allowMissing && holding.missing.length > 0) tagFiles.set(`metadata/${MISSING_FILE}`, missingText(holding))
  const lack = allowMissing ? undefined : missingProblem(holding)
  const problems = lack === undefined ? [] : [lack]
  if (profile) {
    const facts = {
      version,
      serialization,
      manifests: algorithms,
      tagManifests: tagAlgorithms,
      info: [...info, ...LATER_FIELDS.map((label): TagField => [label, 'later'])],
      others,
      tagFiles: ['bagit.txt', 'bag-info.txt', ...LATER_FILES, ...tagFiles.keys()],
      hasFetch: false,
      isEmpty: undefined,
    }
    problems.push(...profileProblems(profile, facts))
  }
  if (problems.length > 0) {
    throw new DataferryError('BAG_REFUSED', `${holding.name} was not bagged: ${problems.join('; ')}.`, {
      ...(profile && { advice: PROFILE_ADVICE }),
    })
  }
  return { name: holding.name, version, algorithms, tagAlgorithms, info, tagFiles }
}

function accepts(profile: Profile, version: BagItVersion): boolean {
  return profile['Accept-BagIt-Version']?.includes(version) ?? true
}

function usualAlgorithms(profile: Profile | undefined): readonly Algorithm[] {
  const required = ALGORITHMS.filter((one) => profile?.['Manifests-Required']?.includes(one))
  if (required.length > 0) return required
  const allowed = profile?.['Manifests-Allowed']
  const usual = (['sha256', 'sha512', 'sha1', 'md5'] as const).find((one) => allowed?.includes(one) ?? true)
  return [usual ?? 'sha256']
}

function tagAlgorithmsOf(algorithms: readonly Algorithm[], profile: Profile | undefined): readonly Algorithm[] {
  const allowed = profile?.['Tag-Manifests-Allowed']
  const required = ALGORITHMS.filter((one) => profile?.['Tag-Manifests-Required']?.includes(one))
  const same = algorithms.filter((one) => allowed?.includes(one) ?? true)
  return [...new Set([...required, ...same])]
}

/** The fields of `bag-info.txt`, in the order of Dataverse's own, and those that a profile wants in other files. */
function fieldsOf(
  { holding: { name, dataset }, description, metadata }: BagSubject,
  { profile, info: given, stamp, software, now }: BagOptions,
): { readonly info: readonly TagField[]; readonly others: ReadonlyMap<string, readonly TagField[]> } {
  const title = description.title ?? dataset?.pid ?? name
  const about = description.text || title
  const elsewhere = profile?.['Tag-Files-Info'] ?? {}
  const own: Readonly<Record<string, string>> = { Title: title, Description: about }
  const others = new Map(
    Object.entries(elsewhere).map(([file, tags]): [string, readonly TagField[]] => [
      file,
      Object.keys(tags).flatMap((label): readonly TagField[] => {
        const values = valuesOf(given, label)
        const usual = own[label]
        return (values.length > 0 ? values : usual === undefined ? [] : [usual]).map((value) => [label, value])
      }),
    ]),
  )
  const inOthers = new Set(
    Object.values(elsewhere).flatMap((tags) => Object.keys(tags).map((one) => one.toLowerCase())),
  )
  const here = given.filter(([label]) => !inOthers.has(label.toLowerCase()))
  const source = valuesOf(here, 'Source-Organization')[0] ?? dataset?.server
  const catalog = oreCatalog(metadata.get('oai-ore.jsonld')) ?? (source === undefined ? undefined : `${source} Catalog`)
  const usual: TagField[] = [
    ['Dataferry-Bag-Key', stamp],
    ...description.contacts.flatMap(({ name: contact, email }): TagField[] => [
      ...(contact === undefined ? [] : [['Contact-Name', contact] as const]),
      ...(email === undefined ? [] : [['Contact-Email', email] as const]),
    ]),
    ['External-Description', about],
    ['Bagging-Date', now.toISOString().slice(0, 10)],
    ['External-Identifier', dataset ? pidUrl(dataset.pid) : name],
    ['Internal-Sender-Identifier', `${catalog === undefined ? '' : `${catalog}:`}${title}`],
    ...(dataset ? [['Dataverse-Bag-Version', '1.0'] as const] : []),
    ['Bag-Software-Agent', software],
    ...profileField(profile),
  ]
  const replaced = new Set(here.map(([label]) => label.toLowerCase()))
  return { info: [...here, ...usual.filter(([label]) => !replaced.has(label.toLowerCase()))], others }
}

function profileField(profile: Profile | undefined): readonly TagField[] {
  const identifier = profile?.['BagIt-Profile-Info']?.['BagIt-Profile-Identifier']
  return identifier === undefined ? [] : [['BagIt-Profile-Identifier', identifier]]
}
