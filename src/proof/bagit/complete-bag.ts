import { lstat, mkdir, open, opendir, realpath, rename, rm, type FileHandle } from 'node:fs/promises'
import type { Stats } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { z } from 'zod'
import { nothing } from '../../async/nothing.ts'
import { pause } from '../../async/pause.ts'
import { ExternalSort } from '../../batch/external-sort.ts'
import { DataferryError } from '../../errors.ts'
import type { OpenBody } from '../../model/source.ts'
import { newOwner, ownerLiveness, ownProcess } from '../../process/process-identity.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { unless } from '../../sinks/disk/errors.ts'
import { Digests } from '../digests.ts'
import { translated } from '../disk-errors.ts'
import { folderBag, type BagSource } from './bag-source.ts'
import { declarationOf } from './declaration.ts'
import { readFetchFile, type FetchLine } from './fetch-file.ts'
import { MANIFEST_ALGORITHMS, readManifestFile, type ManifestAlgorithm } from './manifest-file.ts'

/** Opens what a line of `fetch.txt` names, from a byte on. Rejects with `ARGUMENT_INVALID` for a host that may not be asked. */
export type OpenUrl = (url: string, from: number, signal: AbortSignal) => Promise<OpenBody>

export interface CompleteOptions {
  readonly open: OpenUrl
  /** Attempts at each file, and the first wait between two. */
  readonly attempts: number
  readonly firstWaitMs: number
  readonly signal: AbortSignal
  readonly onFile: (line: FetchLine, failure: DataferryError | undefined) => void
}

export interface Completed {
  readonly fetched: number
  readonly there: number
  readonly failed: number
}

const factSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('line'), url: z.string(), size: z.number().optional() }),
  z.object({ kind: z.literal('sum'), algorithm: z.enum(MANIFEST_ALGORITHMS), hex: z.string() }),
])
type Fact = z.infer<typeof factSchema>
type Sum = Omit<Extract<Fact, { kind: 'sum' }>, 'kind'>

/**
 * Fetches what a bag in a folder lacks and its `fetch.txt` names, in the order of the paths; each file is compared with the manifests
 * before it shows. The bag stays as it is otherwise: files are there already, or are named in no manifest and then refused. What an
 * earlier try that was killed left is removed. In flat memory. Rejects with `BAG_INVALID` for what is no bag.
 */
export async function completeBag(root: string, options: CompleteOptions): Promise<Completed> {
  const bag = folderBag(root)
  const { encoding } = await declarationOf(bag)
  await removeParts(root)
  await using facts = new ExternalSort<Fact>(factSchema)
  const counts = { fetched: 0, there: 0, failed: 0 }
  if (!(await readFetch(facts, bag, encoding, options.signal))) return counts
  await readSums(facts, bag, encoding)
  const owner = newOwner(await ownProcess())
  for await (const { key: path, values } of facts.groups()) {
    const sums = values.filter((one) => one.kind === 'sum')
    for (const { url, size } of values.filter((one) => one.kind === 'line')) {
      options.signal.throwIfAborted()
      counts[await complete({ root, owner }, { url, size, path }, sums, options)]++
    }
  }
  return counts
}

/** @returns whether anything is to be fetched */
async function readFetch(
  facts: ExternalSort<Fact>,
  bag: BagSource,
  encoding: string,
  signal: AbortSignal,
): Promise<boolean> {
  let isAny = false
  for await (const line of readFetchFile((await bag.read('fetch.txt')) ?? nothing(), encoding)) {
    signal.throwIfAborted()
    if ('wrong' in line) throw new DataferryError('BAG_INVALID', `fetch.txt is refused: ${line.wrong}`)
    const { url, size, path } = line
    await facts.add(path, { kind: 'line', url, ...(size !== undefined && { size }) })
    isAny = true
  }
  return isAny
}

/** What every manifest of the payload says. A line that is none is the business of `checkBag`. */
async function readSums(facts: ExternalSort<Fact>, bag: BagSource, encoding: string): Promise<void> {
  for (const algorithm of MANIFEST_ALGORITHMS) {
    const name = `manifest-${algorithm}.txt`
    for await (const line of readManifestFile((await bag.read(name)) ?? nothing(), name, encoding)) {
      if (!('wrong' in line)) await facts.add(line.path, { kind: 'sum', algorithm, hex: line.hex })
    }
  }
}

interface Place {
  readonly root: string
  /** Who writes: stands in the name of what is not whole yet. */
  readonly owner: string
}

async function complete(
  place: Place,
  line: FetchLine,
  sums: readonly Sum[],
  options: CompleteOptions,
): Promise<keyof Completed> {
  try {
    const found = await translated(`look at ${line.path}`, () => lookAt(join(place.root, line.path)))
    if (found) {
      refuseOther(found, line)
      return 'there'
    }
    await translated(`write ${line.path}`, () => fetchOne(place, line, sums, options))
    options.onFile(line, undefined)
    return 'fetched'
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code === 'INTERRUPTED') throw error
    options.onFile(line, error)
    return 'failed'
  }
}

const PART_START = '.dataferry-'
const PART_END = '.part'

/** Removes what dead processes left; what a live one writes stays. */
async function removeParts(root: string): Promise<void> {
  for await (const { name } of await opendir(root)) {
    if (!name.startsWith(PART_START) || !name.endsWith(PART_END)) continue
    const owner = name.slice(PART_START.length, -PART_END.length)
    if ((await ownerLiveness(owner)) === 'dead') await rm(join(root, name), { force: true })
  }
}

function lookAt(path: string): Promise<Stats | undefined> {
  return unless(['ENOENT'], lstat(path))
}

/** Its bytes are compared by `checkBag`. Rejects with `BAG_INVALID` for what cannot be the file. */
function refuseOther(found: Stats, { path, size }: FetchLine): void {
  const why = found.isFile()
    ? size !== undefined && found.size !== size && `it has ${found.size} bytes, and fetch.txt says ${size}`
    : 'it is there, and is no file'
  if (why === false) return
  throw new DataferryError('BAG_INVALID', `${path} is in the way: ${why}.`, { advice: 'Move it out of the bag.' })
}

async function fetchOne(
  { root, owner }: Place,
  line: FetchLine,
  sums: readonly Sum[],
  options: CompleteOptions,
): Promise<void> {
  if (sums.length === 0)
    throw new DataferryError('BAG_INVALID', `${line.path} is in no manifest, so that nothing could prove it.`)
  const target = join(root, line.path)
  const inside = await realpath(root)
  let folder = dirname(target)
  while (!(await lookAt(folder))) folder = dirname(folder)
  if (!`${await realpath(folder)}${sep}`.startsWith(`${inside}${sep}`)) {
    throw new DataferryError('BAG_INVALID', `${line.path} is refused: a link leads out of the bag.`)
  }
  await mkdir(dirname(target), { recursive: true })
  const part = join(inside, PART_START + owner + PART_END)
  const file = await open(part, 'wx')
  const arrival = new Arrival(file, sums, line)
  try {
    for (let attempt = 1; !(await arrives(arrival, line, options, attempt)); attempt++);
    await arrival.prove()
    await file.sync()
    await rename(part, target)
  } finally {
    arrival.close()
    await file.close()
    await rm(part, { force: true })
  }
}

/** One attempt. @returns whether all has arrived; rejects when no other attempt can help */
async function arrives(
  arrival: Arrival,
  { url }: FetchLine,
  { open: openUrl, attempts, firstWaitMs, signal }: CompleteOptions,
  attempt: number,
): Promise<boolean> {
  try {
    await arrival.take(await openUrl(url, arrival.size, signal))
    return true
  } catch (error) {
    signal.throwIfAborted()
    const passes = error instanceof DataferryError && error.remedy !== 'fail' && error.remedy !== 'park'
    if (!passes || attempt >= attempts) throw error
    await pause(error.retryAfterMs ?? firstWaitMs * 2 ** Math.min(attempt - 1, 8), signal)
    return false
  }
}

/** A file on its way into a bag. */
class Arrival {
  readonly #file: FileHandle
  readonly #sums: readonly Sum[]
  readonly #line: FetchLine
  #digests: Digests<ManifestAlgorithm>
  #size = 0

  constructor(file: FileHandle, sums: readonly Sum[], line: FetchLine) {
    this.#file = file
    this.#sums = sums
    this.#line = line
    this.#digests = this.#fresh()
  }

  get size(): number {
    return this.#size
  }

  async take({ body, from }: OpenBody): Promise<void> {
    if (from !== this.#size) await this.#restart()
    if (from !== this.#size) throw new DataferryError('SOURCE_FAILED', `${this.#line.path} came from a wrong byte on.`)
    for await (const chunk of this.#digests.through(body)) {
      await writeAt(this.#file, chunk, this.#size)
      this.#size += chunk.length
      const { size, path } = this.#line
      if (size !== undefined && this.#size > size) {
        throw new DataferryError('ENDLESS_BODY', `${path} has more than the ${size} bytes that fetch.txt says.`)
      }
    }
  }

  async prove(): Promise<void> {
    const { digests } = await this.#digests.result()
    for (const { algorithm, hex } of this.#sums) {
      const found = digests.get(algorithm)
      if (found === hex) continue
      throw new DataferryError(
        'CHECKSUM_MISMATCH',
        `${this.#line.path} is not what manifest-${algorithm}.txt says: ${found ?? ''}, not ${hex}.`,
        { advice: 'The bag was made of another version of this file: ask where it came from.' },
      )
    }
  }

  close(): void {
    this.#digests.close()
  }

  async #restart(): Promise<void> {
    this.#digests.close()
    this.#digests = this.#fresh()
    this.#size = 0
    await this.#file.truncate(0)
  }

  #fresh(): Digests<ManifestAlgorithm> {
    return new Digests(
      this.#sums.map(({ algorithm }) => algorithm),
      this.#line.size,
    )
  }
}
