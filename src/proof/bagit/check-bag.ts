import { z } from 'zod'
import { mapInOrder } from '../../async/map-in-order.ts'
import { nothing } from '../../async/nothing.ts'
import { ExternalSort } from '../../batch/external-sort.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { BagSource } from './bag-source.ts'
import { declarationOf, type Declaration } from './declaration.ts'
import { readFetchFile } from './fetch-file.ts'
import { decoderFor } from './lines.ts'
import { isTagManifest, MANIFEST_ALGORITHMS, readManifestFile, type ManifestAlgorithm } from './manifest-file.ts'
import { decodePath, whyUnsafe } from './paths.ts'
import { profileProblems, type Profile } from './profile.ts'
import { Digests } from '../digests.ts'
import { wholeFile } from '../tree.ts'
import { readTagFile, valuesOf, type TagField } from './tag-file.ts'

/** Something about a bag. An `open` file is one that `bag complete` would fetch: the bag is not complete, and not wrong. */
export interface BagFinding {
  readonly state: 'wrong' | 'open' | 'odd'
  /** In the bag; undefined: all of it. */
  readonly path?: string | undefined
  readonly message: string
}

export interface CheckedBag {
  readonly version: string
  readonly files: number
  readonly bytes: number
  readonly wrong: number
  readonly open: number
  readonly odd: number
}

export interface CheckOptions {
  readonly profile?: Profile | undefined
  readonly signal: AbortSignal
  readonly onFinding: (finding: BagFinding) => void
}

const factSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('file'), path: z.string(), size: z.number() }),
  z.object({ kind: z.literal('sum'), path: z.string(), manifest: z.string(), hex: z.string() }),
  z.object({ kind: z.literal('fetch'), path: z.string() }),
])
type Fact = z.infer<typeof factSchema>

const STYLES = {
  asterisk: 'It has the asterisks of md5sum.',
  relative: 'It has paths that begin with ./, which some programs take for other files.',
} as const
/** Files that systems make by themselves, and that are seldom meant. */
const OF_SYSTEMS = /^(?:\.DS_Store|\._.+|Thumbs\.db|desktop\.ini)$/i

/** Errors that are about one file of a bag. */
const OF_FILE: readonly string[] = ['ZIP_DAMAGED', 'ZIP_HOSTILE', 'BAG_INVALID']
/** Files that are read at the same time. */
const AT_ONCE = 4
/** Bytes of tag files that are read whole. */
const LONGEST_TAG_FILE = 16 << 20
const MANIFEST = /^(tag)?manifest-([a-z0-9-]+)\.txt$/i

/**
 * Checks a bag of any version against RFC 8493 and its drafts: complete, and every byte as its manifests say. In flat memory.
 * Rejects with `BAG_INVALID` for what is no bag or may not be read, and with `ZIP_…` and `SINK_…` codes.
 */
export async function checkBag(source: BagSource, options: CheckOptions): Promise<CheckedBag> {
  const check = new BagCheck(source, options)
  await using facts = new ExternalSort<Fact>(factSchema)
  return await check.run(facts)
}

class BagCheck {
  readonly #source: BagSource
  readonly #options: CheckOptions
  readonly #counts = { files: 0, bytes: 0, wrong: 0, open: 0, odd: 0 }
  readonly #manifests: string[] = []
  readonly #tagFiles: string[] = []
  /** Of the payload that is there. */
  #payloadBytes = 0
  #payloadFiles = 0

  constructor(source: BagSource, options: CheckOptions) {
    this.#source = source
    this.#options = options
  }

  async run(facts: ExternalSort<Fact>): Promise<CheckedBag> {
    const declaration = await declarationOf(this.#source)
    await this.#list(facts)
    const payload = this.#manifests.filter((name) => !isTagManifest(name))
    if (payload.length === 0) this.#tell('wrong', 'There is no manifest of the payload.')
    for (const name of this.#manifests) await this.#readManifest(facts, name, declaration)
    const hasFetch = await this.#readFetch(facts, declaration)
    const look = (group: readonly Fact[]): Promise<readonly BagFinding[]> => this.#look(group, payload, declaration)
    for await (const found of mapInOrder(groupsOf(facts), { concurrency: AT_ONCE, ahead: 1_000 }, look)) {
      for (const { state, message, path } of found) this.#tell(state, message, path)
    }
    await this.#checkInfo(declaration, hasFetch)
    return { version: declaration.version, ...this.#counts }
  }

  #tell(state: BagFinding['state'], message: string, path?: string): void {
    this.#counts[state]++
    this.#options.onFinding({ state, message, ...(path !== undefined && { path }) })
  }

  async #list(facts: ExternalSort<Fact>): Promise<void> {
    for await (const { path, size, refused } of this.#source.list()) {
      this.#options.signal.throwIfAborted()
      const why = refused ?? whyUnsafe(path)
      if (why !== undefined) {
        this.#tell('wrong', `It is refused: ${why}.`, path)
        continue
      }
      if (path.startsWith('data/')) {
        this.#payloadBytes += size
        this.#payloadFiles++
      } else this.#tagFiles.push(path)
      const algorithm = MANIFEST.exec(path)?.[2]?.toLowerCase()
      if (algorithm !== undefined) {
        if (isKnown(algorithm)) this.#manifests.push(path)
        else this.#tell('wrong', `Its algorithm, ${algorithm}, cannot be checked.`, path)
      }
      await facts.add(keyOf(path), { kind: 'file', path, size })
    }
  }

  async #readManifest(facts: ExternalSort<Fact>, manifest: string, { encoding }: Declaration): Promise<void> {
    const chunks = await this.#source.read(manifest)
    const styles = new Set<string>()
    for await (const line of readManifestFile(chunks ?? nothing(), manifest, encoding)) {
      this.#options.signal.throwIfAborted()
      if ('wrong' in line) {
        this.#tell('wrong', line.wrong, manifest)
        continue
      }
      const { hex, path, style } = line
      if (style !== undefined && !styles.has(style)) this.#tell('odd', STYLES[style], manifest)
      styles.add(style ?? '')
      await facts.add(keyOf(path), { kind: 'sum', path, manifest, hex })
    }
  }

  async #readFetch(facts: ExternalSort<Fact>, { encoding }: Declaration): Promise<boolean> {
    const chunks = await this.#source.read('fetch.txt')
    if (!chunks) return false
    for await (const line of readFetchFile(chunks, encoding)) {
      if ('wrong' in line) this.#tell('wrong', line.wrong, 'fetch.txt')
      else await facts.add(keyOf(line.path), { kind: 'fetch', path: line.path })
    }
    return true
  }

  async #look(
    facts: readonly Fact[],
    payload: readonly string[],
    declaration: Declaration,
  ): Promise<readonly BagFinding[]> {
    this.#options.signal.throwIfAborted()
    const named = byPath(facts)
    const findings: BagFinding[] = []
    const isThere = (path: string): boolean => named.get(path)?.size !== undefined
    const there = [...named.keys()].filter(isThere)
    const plain = new Map(there.toReversed().map((path) => [plainForm(path), path]))
    const distinct = [...named.keys()].filter((path) => isThere(path) || !plain.has(plainForm(path)))
    if (new Set(distinct.map(folded)).size < distinct.length) {
      const [path] = distinct
      findings.push({ state: 'odd', path, message: 'Another name differs from it only in case or accents.' })
    }
    for (const path of there) {
      if (!OF_SYSTEMS.test(path.slice(path.lastIndexOf('/') + 1))) continue
      findings.push({ state: 'odd', path, message: 'Systems make such files by themselves: is it meant?' })
    }
    /** Sums of each file, however their manifest writes its name. */
    const sums = new Map(there.map((path) => [path, [...(named.get(path)?.sums ?? [])]]))
    for (const [path, one] of named) {
      if (one.size === undefined && one.sums.length === 0 && one.isFetched) {
        findings.push({ state: 'wrong', path, message: 'fetch.txt names it, and no manifest does.' })
      }
      if (one.size !== undefined || one.sums.length === 0) continue
      const twin = plain.get(plainForm(path))
      if (twin !== undefined) {
        sums.set(twin, [...(sums.get(twin) ?? []), ...one.sums])
        findings.push({ state: 'odd', path, message: 'Its manifest writes the name in another form.' })
      } else if (one.isFetched) findings.push({ state: 'open', path, message: 'It is to be fetched.' })
      else findings.push({ state: 'wrong', path, message: 'It is missing.' })
    }
    for (const [path, some] of sums) {
      const size = named.get(path)?.size
      for (const one of await this.#compare({ path, size, sums: some }, payload, declaration)) findings.push(one)
    }
    return findings
  }

  async #compare(
    { path, size, sums }: { readonly path: string; readonly size: number | undefined; readonly sums: readonly Sum[] },
    payload: readonly string[],
    { version }: Declaration,
  ): Promise<readonly BagFinding[]> {
    const findings: BagFinding[] = []
    const wrong = (message: string): void => void findings.push({ state: 'wrong', path, message })
    if (path.startsWith('data/')) {
      const lacking = payload.filter((name) => !sums.some(({ manifest }) => manifest === name))
      // Before 1.0 it was enough that one manifest names a file.
      const isListed = version === '1.0' ? lacking.length === 0 : lacking.length < payload.length
      if (!isListed && payload.length > 0) wrong(`It is not in ${lacking.join(', ')}.`)
    }
    const algorithms = new Set(sums.map(({ manifest }) => algorithmOf(manifest)).filter(isKnown))
    for (const manifest of new Set(sums.map((one) => one.manifest))) {
      const twice = sums.filter((one) => one.manifest === manifest)
      if (twice.length < 2) continue
      const isSame = twice.every(({ hex }) => hex === twice[0]?.hex)
      if (version === '1.0' || !isSame) wrong(`It is in ${manifest} more than once.`)
      else findings.push({ state: 'odd', path, message: `It is in ${manifest} more than once.` })
    }
    if (algorithms.size === 0) return findings
    const digests = await this.#digests(path, size, algorithms)
    if (typeof digests === 'string') wrong(`It cannot be read: ${digests}`)
    else
      for (const { manifest, hex } of sums) {
        const found = digests.get(algorithmOf(manifest)) ?? ''
        if (found !== hex) wrong(`Its ${algorithmOf(manifest)} is ${found}, and ${manifest} says ${hex}.`)
      }
    return findings
  }

  /** @returns why a file that is there cannot be read; the others can still be checked */
  async #digests(
    path: string,
    size: number | undefined,
    algorithms: ReadonlySet<ManifestAlgorithm>,
  ): Promise<ReadonlyMap<string, string> | string> {
    try {
      return await this.#hashed(path, size, algorithms)
    } catch (error) {
      const isOfFile = error instanceof DataferryError ? OF_FILE.includes(error.code) : systemCode(error) !== undefined
      if (!isOfFile) throw error
      return messageOf(error)
    }
  }

  async #hashed(
    path: string,
    size: number | undefined,
    algorithms: ReadonlySet<ManifestAlgorithm>,
  ): Promise<ReadonlyMap<string, string> | string> {
    const chunks = await this.#source.read(path)
    if (!chunks) return 'it is no file.'
    const digests = new Digests(algorithms, size)
    try {
      let bytes = 0
      for await (const { length } of digests.through(chunks)) {
        this.#options.signal.throwIfAborted()
        bytes += length
      }
      const { digests: found } = await digests.result()
      this.#counts.files++
      this.#counts.bytes += bytes
      return found
    } finally {
      digests.close()
    }
  }

  /** `bag-info.txt`, and what a profile asks for. */
  async #checkInfo(declaration: Declaration, hasFetch: boolean): Promise<void> {
    const info = await this.#fields('bag-info.txt', declaration)
    const oxums = valuesOf(info, 'Payload-Oxum')
    if (oxums.length > 1) this.#tell('odd', 'It has Payload-Oxum more than once.', 'bag-info.txt')
    const [oxum] = oxums
    const found = `${this.#payloadBytes}.${this.#payloadFiles}`
    if (oxum !== undefined && oxum !== found && !(hasFetch && this.#counts.open > 0)) {
      this.#tell('wrong', `Payload-Oxum is ${oxum}, and there are ${found} (bytes.files).`, 'bag-info.txt')
    }
    const { profile } = this.#options
    if (!profile) return
    const others = new Map<string, readonly TagField[]>()
    for (const file of Object.keys(profile['Tag-Files-Info'] ?? {})) {
      others.set(file, await this.#fields(file, declaration))
    }
    const of = (tag: boolean): string[] =>
      this.#manifests.filter((name) => isTagManifest(name) === tag).map(algorithmOf)
    const problems = profileProblems(profile, {
      version: declaration.version,
      serialization: this.#source.serialization,
      manifests: of(false),
      tagManifests: of(true),
      info,
      others,
      tagFiles: this.#tagFiles,
      hasFetch,
      isEmpty: this.#payloadFiles === 0,
    })
    for (const problem of problems) this.#tell('wrong', `The profile is not met: ${problem}.`)
  }

  async #fields(file: string, { encoding }: Declaration): Promise<readonly TagField[]> {
    const bytes = await this.#whole(file, LONGEST_TAG_FILE)
    if (!bytes) return []
    const fields = readTagFile(decoderFor(encoding, bytes).decode(bytes))
    if (!fields) this.#tell('wrong', 'It has a line that is no field.', file)
    return fields ?? []
  }

  async #whole(path: string, most: number): Promise<Buffer | undefined> {
    const chunks = await this.#source.read(path)
    if (!chunks) return undefined
    const bytes = await wholeFile(chunks, most)
    if (bytes) return bytes
    throw new DataferryError('BAG_INVALID', `${path} is refused: it has more than ${most} bytes.`)
  }
}

interface Sum {
  readonly manifest: string
  readonly hex: string
}

interface Known {
  size: number | undefined
  readonly sums: Sum[]
  isFetched: boolean
}

function byPath(facts: readonly Fact[]): ReadonlyMap<string, Known> {
  const named = new Map<string, Known>()
  for (const fact of facts) {
    const known = named.get(fact.path) ?? { size: undefined, sums: [], isFetched: false }
    named.set(fact.path, known)
    if (fact.kind === 'file') known.size = fact.size
    else if (fact.kind === 'sum') known.sums.push(fact)
    else known.isFetched = true
  }
  return named
}

async function* groupsOf(facts: ExternalSort<Fact>): AsyncGenerator<readonly Fact[]> {
  for await (const { values } of facts.groups()) yield values
}

/** What paths have in common that may be meant by one another. */
function keyOf(path: string): string {
  return folded(decodePath(path))
}

/** A path without case and composition, as some systems see it. */
function folded(path: string): string {
  return path.normalize('NFC').toLowerCase()
}

/** What is the same of all forms in which manifests mean one path: accents have two, and some writers encode no percent sign. */
function plainForm(path: string): string {
  return decodePath(path).normalize('NFC')
}

function algorithmOf(manifest: string): string {
  return (MANIFEST.exec(manifest)?.[2] ?? '').toLowerCase()
}

function isKnown(algorithm: string): algorithm is ManifestAlgorithm {
  return MANIFEST_ALGORITHMS.some((one) => one === algorithm)
}
