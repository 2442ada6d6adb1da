import { createHash } from 'node:crypto'
import { DataferryError } from '../../errors.ts'
import type { Algorithm } from '../../model/checksum.ts'
import { checksumsOf } from '../../model/receipt.ts'
import { translated } from '../disk-errors.ts'
import type { DatasetVersion, Holding, HoldingFile } from '../holding.ts'
import { MISSING_FILE } from '../missing-problem.ts'
import { inMemory } from '../pack/pack-entry.ts'
import { verifiedBytes, type ReadHeld } from '../verified-bytes.ts'
import { Contents } from './contents.ts'
import {
  byPath,
  compareVersions,
  datasetVersionOf,
  inventoryText,
  messageFor,
  OBJECT_TYPE,
  sidecarText,
  versionNumber,
  type Addressing,
  type Inventory,
  type OcflVersion,
} from './inventory.ts'
import type { StagedVersion } from './objects.ts'
import { openObject } from './open-object.ts'
import type { StorageRoot } from './storage-root.ts'

export interface OcflSubject {
  readonly holding: Holding & { readonly dataset: DatasetVersion }
  /** By file name: kept in `.dataverse/` of the version. */
  readonly metadata: ReadonlyMap<string, Uint8Array>
  readonly read: ReadHeld
  readonly onFile: (file: HoldingFile) => void
  /**
   * Where the root is beside what is held: files whose bytes are known are taken over where they are, and not read.
   * @returns digests by the object's algorithm and MD5; the first alone where the object has the content
   */
  readonly digestsOf?: (file: HoldingFile) => Promise<ReadonlyMap<Algorithm, string>>
  /** Of the object, where they have been looked at already. */
  readonly contents?: Contents | undefined
}

export interface OcflOptions {
  /** Of new objects; others keep theirs. */
  readonly algorithm: Addressing
  /** Who wrote it, and an address that begins with a scheme. */
  readonly user: { readonly name: string; readonly address?: string }
  readonly now: Date
  readonly signal: AbortSignal
  /**
   * What becomes of a version that the object may have gone on from: `appended`: it is one more, unless it is there; `head`: it is one
   * more, unless it is the head. Undefined: it is left out.
   */
  readonly late?: 'appended' | 'head'
}

/** `there`: the version is in the object, as it is held. `older`: the object has gone on, and this version is not in it. */
export type Written = 'written' | 'there' | 'older'

/**
 * Adds a version of a dataset to its object, content that the object has already only by name. A version that was changed under its
 * number becomes one more. Rejects with `OCFL_REFUSED` and `SINK_…` codes, and with `CHECKSUM_MISMATCH` when a file is not what it was.
 */
export async function writeVersion(root: StorageRoot, subject: OcflSubject, options: OcflOptions): Promise<Written> {
  return translated(`write the object of ${subject.holding.dataset.pid}`, () => write(root, subject, options))
}

async function write({ objects, layout }: StorageRoot, subject: OcflSubject, options: OcflOptions): Promise<Written> {
  const { pid, number = 'unknown' } = subject.holding.dataset
  const path = layout.pathOf(pid)
  const opened = await openObject(objects, path, pid)
  const before = opened?.inventory
  // A version must not refer to what is not there any more.
  const contents = subject.contents ?? (before && (await Contents.of(objects, path, before, opened.unfinished)))
  const head = before?.versions[before.head]
  const headNumber = head && datasetVersionOf(head)
  const isOlder = headNumber !== undefined && compareVersions(number, headNumber) < 0
  if (before && (isOlder || options.late !== undefined)) {
    const all = options.late === 'head' && head ? [head] : Object.values(before.versions)
    const same = all.filter((version) => datasetVersionOf(version) === number)
    const some = options.late === 'head' ? same.filter((version) => hasMetadata(version, before, subject)) : same
    if (await isPayloadOf(some, before, { ...subject, contents }, options.signal)) return 'there'
    if (options.late === undefined) return 'older'
  }
  const algorithm = before?.digestAlgorithm ?? options.algorithm
  const name = `v${before ? versionNumber(before.head) + 1 : 1}`
  await using staged = await objects.stage(path, name, algorithm)
  // Another process may have added a version meanwhile.
  const refuseOther = async (): Promise<void> => {
    if ((await openObject(objects, path, pid))?.sidecar === opened?.sidecar) return
    throw new DataferryError('SINK_BUSY', `Another process is writing the object of ${pid}.`)
  }
  await refuseOther()
  const version = new Version(before ?? newInventory(pid, algorithm), name, { staged, contents })
  for await (const file of subject.holding.files) {
    options.signal.throwIfAborted()
    await version.add(file, subject)
    subject.onFile(file)
  }
  for (const [file, bytes] of subject.metadata) await version.addBytes(`${METADATA}${file}`, bytes)
  if (head && headNumber === number && options.late === undefined) version.keepMetadata(head.state)
  if (head && headNumber === number && version.isAs(head.state)) return 'there'
  const inventory = version.inventory(subject.holding, options)
  const text = inventoryText(inventory)
  await refuseOther()
  await staged.publish(text, sidecarText(text, algorithm))
  return 'written'
}

function newInventory(id: string, digestAlgorithm: Addressing): Inventory {
  return { id, type: OBJECT_TYPE, digestAlgorithm, head: 'v0', manifest: {}, versions: {} }
}

/** Where a version has the metadata of the dataset. */
const METADATA = '.dataverse/'

/** Whether what is held is the payload of one of these versions. Files are read only where nothing else tells what they are. */
async function isPayloadOf(
  versions: readonly OcflVersion[],
  inventory: Inventory,
  subject: OcflSubject,
  signal: AbortSignal,
): Promise<boolean> {
  const contents = byPath(inventory.manifest)
  let states = versions.map(({ state }) => byPath(state))
  for await (const file of subject.holding.files) {
    signal.throwIfAborted()
    if (states.length === 0) return false
    const digests = await digestsOf(file, inventory, contents, subject)
    states = states.filter((state) => digests.has(state.get(file.path) ?? ''))
    for (const state of states) {
      subject.contents?.expect(state.get(file.path) ?? '', file.size)
      state.delete(file.path)
    }
  }
  return states.some((state) => [...state.keys()].every((path) => path.startsWith(METADATA)))
}

/** Whether a version has the metadata that is held, and no other. */
function hasMetadata({ state }: OcflVersion, { digestAlgorithm }: Inventory, { metadata }: OcflSubject): boolean {
  const there = [...byPath(state)].filter(([path]) => path.startsWith(METADATA))
  return (
    there.length === metadata.size &&
    there.every(([path, digest]) => {
      const bytes = metadata.get(path.slice(METADATA.length))
      return bytes !== undefined && createHash(digestAlgorithm).update(bytes).digest('hex') === digest
    })
  )
}

/** What a file may be addressed by, by the checksum that it came with. */
async function digestsOf(
  file: HoldingFile,
  { digestAlgorithm, fixity }: Inventory,
  contents: ReadonlyMap<string, string>,
  { read, digestsOf: known }: OcflSubject,
): Promise<ReadonlySet<string>> {
  if (known) return new Set([(await known(file)).get(digestAlgorithm) ?? ''])
  const addressed = checksumsOf(file).find((checksum) => checksum.algorithm === digestAlgorithm)
  if (addressed) return new Set([addressed.hex])
  const { algorithm, hex = '' } = file.checksum ?? {}
  const paths = algorithm === undefined ? undefined : fixity?.[algorithm]?.[hex]
  if (paths) return new Set(paths.map((path) => contents.get(path) ?? ''))
  const digests = await verifiedBytes(file, [digestAlgorithm], read).digests()
  return new Set([digests.get(digestAlgorithm) ?? ''])
}

/** The version that is being made. */
class Version {
  readonly #before: Inventory
  readonly #name: string
  readonly #staged: StagedVersion
  readonly #contents: Contents | undefined
  /** Digests by path. */
  readonly #state = new Map<string, string>()
  /** Files, and the folders that they are in, each with the first file that needs it. */
  readonly #paths = new Map<string, { readonly by: string; readonly isFolder: boolean }>()
  /** Content that is new. */
  readonly #manifest = new Map<string, string>()
  /** Paths of content, by a further algorithm and digest. */
  readonly #fixity: Map<string, Map<string, string[]>>

  constructor(
    before: Inventory,
    name: string,
    { staged, contents }: { readonly staged: StagedVersion; readonly contents: Contents | undefined },
  ) {
    this.#before = before
    this.#name = name
    this.#staged = staged
    this.#contents = contents
    const known = Object.entries(structuredClone(before.fixity ?? {}))
    this.#fixity = new Map(known.map(([algorithm, paths]) => [algorithm, new Map(Object.entries(paths))]))
  }

  async add(file: HoldingFile, { read, digestsOf: known }: OcflSubject): Promise<void> {
    const { digestAlgorithm } = this.#before
    this.#claim(file.path)
    const content = `${this.#name}/content/${file.path}`
    if (known) return this.#adopt(file, content, await known(file))
    const bytes = verifiedBytes(file, [digestAlgorithm, 'md5'], read)
    const isLikelyHeld = this.#isLikelyHeld(file)
    if (!isLikelyHeld) await this.#staged.write(content, bytes.chunks, file.size)
    const digests = await bytes.digests()
    const digest = digests.get(digestAlgorithm) ?? ''
    if (this.#isHeld(digest)) {
      this.#contents?.expect(digest, file.size)
      if (!isLikelyHeld) await this.#staged.drop(content)
    } else {
      // It was read for its digest alone.
      if (isLikelyHeld) await this.#staged.write(content, verifiedBytes(file, [], read).chunks, file.size)
      this.#hold(content, digests)
    }
    this.#state.set(file.path, digest)
  }

  /** A file that was hashed already: it becomes content where that is new. */
  async #adopt(
    { path, place, size }: HoldingFile,
    content: string,
    digests: ReadonlyMap<Algorithm, string>,
  ): Promise<void> {
    const digest = digests.get(this.#before.digestAlgorithm) ?? ''
    this.#contents?.expect(digest, size)
    if (!this.#isHeld(digest)) {
      await this.#staged.adopt(content, place)
      this.#hold(content, digests)
    }
    this.#state.set(path, digest)
  }

  #hold(content: string, digests: ReadonlyMap<Algorithm, string>): void {
    const { digestAlgorithm } = this.#before
    this.#manifest.set(digests.get(digestAlgorithm) ?? '', content)
    for (const [algorithm, hex] of digests) if (algorithm !== digestAlgorithm) this.#note(algorithm, hex, content)
  }

  async addBytes(path: string, bytes: Uint8Array): Promise<void> {
    this.#claim(path)
    const hex = (algorithm: Algorithm): string => createHash(algorithm).update(bytes).digest('hex')
    const digest = hex(this.#before.digestAlgorithm)
    this.#contents?.expect(digest, bytes.length)
    if (!this.#isHeld(digest)) {
      const content = `${this.#name}/content/${path}`
      await this.#staged.write(content, inMemory(bytes), bytes.length)
      this.#hold(
        content,
        new Map([
          [this.#before.digestAlgorithm, digest],
          ['md5', hex('md5')],
        ]),
      )
    }
    this.#state.set(path, digest)
  }

  /** Takes over the metadata of the same version that this run could not get. What was missing then may be here now. */
  keepMetadata(state: Readonly<Record<string, readonly string[]>>): void {
    for (const [path, digest] of byPath(state)) {
      if (path === `${METADATA}${MISSING_FILE}`) continue
      if (path.startsWith(METADATA) && !this.#state.has(path)) this.#state.set(path, digest)
    }
  }

  /** Whether the paths are those of another state, with the same bytes. */
  isAs(state: Readonly<Record<string, readonly string[]>>): boolean {
    const other = byPath(state)
    return other.size === this.#state.size && [...this.#state].every(([path, digest]) => other.get(path) === digest)
  }

  inventory({ dataset, missing }: OcflSubject['holding'], { user, now }: OcflOptions): Inventory {
    const { pid, number = 'unknown', server, releasedAt } = dataset
    const { manifest, versions } = this.#before
    const others = Object.values(versions).map((version) => datasetVersionOf(version) ?? number)
    const isLate = others.some((other) => other === number || compareVersions(other, number) > 0)
    // A version that was changed, or came, later was not released so then.
    const created = isLate ? now.toISOString() : timeOf(releasedAt, now)
    return {
      ...this.#before,
      head: this.#name,
      fixity: Object.fromEntries([...this.#fixity].map(([algorithm, paths]) => [algorithm, Object.fromEntries(paths)])),
      manifest: { ...manifest, ...Object.fromEntries([...this.#manifest].map(([digest, path]) => [digest, [path]])) },
      versions: {
        ...versions,
        [this.#name]: {
          created,
          state: grouped(this.#state),
          message: messageFor(pid, number, server, missing.length),
          user,
        },
      },
    }
  }

  /** Throws `OCFL_REFUSED` for a path that another file has, or that lies in one. @see https://ocfl.io/1.1/spec/#inventory E095 */
  #claim(path: string): void {
    const segments = path.split('/')
    for (let depth = 1; depth <= segments.length; depth++) {
      const part = segments.slice(0, depth).join('/')
      const isFolder = depth < segments.length
      const known = this.#paths.get(part)
      if (known && !(isFolder && known.isFolder)) {
        const message = `${known.by} and ${path} cannot be in one version: one would be written over the other.`
        throw new DataferryError('OCFL_REFUSED', message, { advice: 'Hand this dataset on in another form.' })
      }
      if (!known) this.#paths.set(part, { by: path, isFolder })
    }
  }

  /** By what it was when it came: then it is hashed, and written only if that was wrong. */
  #isLikelyHeld({ checksum }: HoldingFile): boolean {
    if (!checksum) return false
    if (checksum.algorithm === this.#before.digestAlgorithm) return this.#isHeld(checksum.hex)
    return this.#fixity.get(checksum.algorithm)?.has(checksum.hex) === true
  }

  #isHeld(digest: string): boolean {
    return Object.hasOwn(this.#before.manifest, digest) || this.#manifest.has(digest)
  }

  #note(algorithm: Algorithm, hex: string, path: string): void {
    const paths = this.#fixity.get(algorithm) ?? new Map<string, string[]>()
    this.#fixity.set(algorithm, paths)
    pushTo(paths, hex, path)
  }
}

/** Paths by digest. */
function grouped(byPath: ReadonlyMap<string, string>): Record<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const [path, digest] of byPath) pushTo(groups, digest, path)
  return Object.fromEntries(groups)
}

function pushTo(groups: Map<string, string[]>, key: string, value: string): void {
  const group = groups.get(key)
  if (group) group.push(value)
  else groups.set(key, [value])
}

/** OCFL asks for a time with its zone, to the second. */
function timeOf(text: string | undefined, otherwise: Date): string {
  const at = new Date(text ?? '')
  return Number.isNaN(at.getTime()) ? otherwise.toISOString() : at.toISOString()
}
