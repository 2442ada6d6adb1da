import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ExternalSort } from '../../batch/external-sort.ts'
import { DataferryError } from '../../errors.ts'
import { ALGORITHMS, type Algorithm } from '../../model/checksum.ts'
import { Digests } from '../digests.ts'
import type { Holding, HoldingFile } from '../holding.ts'
import { inMemory, type PackEntry } from '../pack/pack-entry.ts'
import { pidUrl } from '../../model/pid-url.ts'
import type { CrateBuilder } from '../ro-crate/crate-builder.ts'
import { refuseTwins } from '../refuse-twins.ts'
import { refuseCrateFile } from '../ro-crate/crate-entries.ts'
import { verifiedBytes, type ReadHeld } from '../verified-bytes.ts'
import { encodePath, whyUnsafe } from './paths.ts'
import type { PreparedBag } from './prepare-bag.ts'
import { tagFileText, type TagField } from './tag-file.ts'

export interface BagContent {
  readonly bag: PreparedBag
  readonly holding: Pick<Holding, 'files' | 'dataset'>
  readonly read: ReadHeld
  /** Describes the payload, from within it. */
  readonly crate?: CrateBuilder | undefined
  /** Is told of every file of the payload that was read and is what it was. */
  readonly onFile: (file: HoldingFile) => void
}

const lineSchema = z.object({
  path: z.string(),
  /** As manifests write it. */
  written: z.string(),
  id: z.string().optional(),
  digests: z.partialRecord(z.enum(ALGORITHMS), z.string()),
})
type Line = z.infer<typeof lineSchema>

/**
 * Everything in a bag, in an order in which it can be written in one pass and flat memory: the payload, hashed and compared with
 * what it was when it came; then what is said of it. `bagit.txt` comes last, since nothing is a bag without.
 * Rejects with `CHECKSUM_MISMATCH` when a file is not what it was.
 */
export async function* bagEntries({ bag, holding, read, crate, onFile }: BagContent): AsyncGenerator<PackEntry, void> {
  await using lines = new ExternalSort<Line>(lineSchema)
  const payload = new Payload(bag, lines)
  yield { path: 'data/', size: 0, chunks: inMemory() }
  for await (const file of holding.files) {
    const path = `data/${file.path}`
    const why = whyUnsafe(path)
    if (why !== undefined) throw new DataferryError('BAG_REFUSED', `${path} cannot be in a bag: ${why}.`)
    if (crate) refuseCrateFile(file)
    const bytes = verifiedBytes(file, crate ? [...bag.algorithms, ...crate.algorithms] : bag.algorithms, read)
    yield { path, size: file.size, chunks: bytes.chunks, place: file.place }
    const digests = await bytes.digests()
    await payload.add(path, file, digests)
    await crate?.add(file, digests)
    onFile(file)
  }
  for await (const { path, size, chunks } of crate?.entries() ?? []) {
    const digests = new Digests(bag.algorithms, size)
    yield { path: `data/${path}`, size, chunks: digests.through(chunks) }
    await payload.add(`data/${path}`, { size }, (await digests.result()).digests)
    digests.close()
  }
  await refuseTwins(lines)
  const tags = new TagManifests(bag)
  const top = holding.dataset ? `${pidUrl(holding.dataset.pid)} data/\n` : ''
  yield tags.streamed('metadata/pid-mapping.txt', Buffer.byteLength(top) + payload.mapping, mapping(top, lines))
  for (const [path, content] of bag.tagFiles) yield tags.whole(path, content)
  const sizes: TagField[] = [
    ['Bag-Size', sizeText(payload.bytes)],
    ['Payload-Oxum', `${payload.bytes}.${payload.files}`],
  ]
  yield tags.whole('bag-info.txt', tagFileText([...bag.info, ...sizes]))
  for (const algorithm of bag.algorithms) {
    yield tags.streamed(`manifest-${algorithm}.txt`, payload.lengthOf(algorithm), manifest(lines, algorithm))
  }
  const declaration = `BagIt-Version: ${bag.version}\nTag-File-Character-Encoding: UTF-8\n`
  const last = tags.whole('bagit.txt', declaration)
  yield* tags.manifests()
  yield last
}

/** What the manifests of the payload are going to say. */
class Payload {
  bytes = 0
  files = 0
  /** Bytes of the lines that connect ids and paths. */
  mapping = 0
  readonly #bag: PreparedBag
  readonly #lines: ExternalSort<Line>
  readonly #lengths = new Map<Algorithm, number>()

  constructor(bag: PreparedBag, lines: ExternalSort<Line>) {
    this.#bag = bag
    this.#lines = lines
  }

  async add(
    path: string,
    { size, id }: Pick<HoldingFile, 'size' | 'id'>,
    digests: ReadonlyMap<Algorithm, string>,
  ): Promise<void> {
    const { algorithms, version } = this.#bag
    const wanted: Line['digests'] = {}
    for (const algorithm of algorithms) wanted[algorithm] = digests.get(algorithm) ?? ''
    const line: Line = { path, written: encodePath(path, version), id, digests: wanted }
    await this.#lines.add(line.written, line)
    for (const algorithm of algorithms) {
      this.#lengths.set(algorithm, this.lengthOf(algorithm) + Buffer.byteLength(manifestLine(line, algorithm)))
    }
    this.mapping += Buffer.byteLength(mappingLine(line))
    this.bytes += size
    this.files++
  }

  /** Bytes of a manifest. */
  lengthOf(algorithm: Algorithm): number {
    return this.#lengths.get(algorithm) ?? 0
  }
}

/** Tag files on their way, and the manifests of them. */
class TagManifests {
  readonly #algorithms: readonly Algorithm[]
  readonly #version: PreparedBag['version']
  readonly #digests = new Map<string, ReadonlyMap<Algorithm, string>>()

  constructor({ tagAlgorithms, version }: PreparedBag) {
    this.#algorithms = tagAlgorithms
    this.#version = version
  }

  whole(path: string, content: Uint8Array | string): PackEntry {
    const bytes = Buffer.from(content)
    const hex = (algorithm: Algorithm): string => createHash(algorithm).update(bytes).digest('hex')
    this.#digests.set(path, new Map(this.#algorithms.map((algorithm) => [algorithm, hex(algorithm)])))
    return { path, size: bytes.length, chunks: inMemory(bytes) }
  }

  streamed(path: string, size: number, content: AsyncIterable<Uint8Array>): PackEntry {
    const digests = new Digests(this.#algorithms, size)
    const remember = (found: ReadonlyMap<Algorithm, string>): void => void this.#digests.set(path, found)
    const chunks = (async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* digests.through(content)
        remember((await digests.result()).digests)
      } finally {
        digests.close()
      }
    })()
    return { path, size, chunks }
  }

  *manifests(): Generator<PackEntry> {
    const paths = [...this.#digests.keys()].sort()
    for (const algorithm of this.#algorithms) {
      const line = (path: string): string =>
        `${this.#digests.get(path)?.get(algorithm) ?? ''}  ${encodePath(path, this.#version)}\n`
      const bytes = Buffer.from(paths.map(line).join(''))
      yield { path: `tagmanifest-${algorithm}.txt`, size: bytes.length, chunks: inMemory(bytes) }
    }
  }
}

function manifestLine({ written, digests }: Line, algorithm: Algorithm): string {
  return `${digests[algorithm] ?? ''}  ${written}\n`
}

/** @see BagGenerator.java: a recommendation of DataONE, to connect ids and paths, which are written as they are */
function mappingLine({ id, path }: Line): string {
  return id === undefined ? '' : `${id} ${path.replaceAll('\r', '%0D').replaceAll('\n', '%0A')}\n`
}

async function* manifest(lines: ExternalSort<Line>, algorithm: Algorithm): AsyncGenerator<Uint8Array> {
  for await (const line of lines.values()) yield Buffer.from(manifestLine(line, algorithm))
}

async function* mapping(top: string, lines: ExternalSort<Line>): AsyncGenerator<Uint8Array> {
  if (top !== '') yield Buffer.from(top)
  for await (const line of lines.values()) yield Buffer.from(mappingLine(line))
}

/** `12.35 MB`, as Dataverse writes it. */
function sizeText(bytes: number): string {
  const units = ['GB', 'MB', 'KB'] as const
  for (const [at, unit] of units.entries()) {
    const one = 1000 ** (units.length - at)
    if (bytes >= one) return `${Math.round(bytes / (one / 100)) / 100} ${unit}`
  }
  return `${bytes} bytes`
}
