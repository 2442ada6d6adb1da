import { randomUUID } from 'node:crypto'
import { lstat, mkdir, open, realpath, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { nothing } from '../../async/nothing.ts'
import { pause } from '../../async/pause.ts'
import { DataferryError } from '../../errors.ts'
import { ALGORITHMS, type Algorithm, type Checksum } from '../../model/checksum.ts'
import type { OpenBody } from '../../model/source.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { Digests } from '../digests.ts'
import { translated } from '../disk-errors.ts'
import { folderBag, type BagSource } from './bag-source.ts'
import { readDeclaration } from './declaration.ts'
import { readFetchFile, type FetchLine } from './fetch-file.ts'
import { textLines } from './lines.ts'
import { decodePath } from './paths.ts'

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

/**
 * Fetches what a bag in a folder lacks and its `fetch.txt` names; each file is compared with the manifests before it shows. The
 * bag stays as it is otherwise: files are there already, or are named in no manifest and then refused.
 * Rejects with `BAG_INVALID` for what is no bag.
 */
export async function completeBag(root: string, options: CompleteOptions): Promise<Completed> {
  const bag = folderBag(root)
  const encoding = await encodingOf(bag)
  const chunks = await bag.read('fetch.txt')
  if (!chunks) return { fetched: 0, there: 0, failed: 0 }
  const counts = { fetched: 0, there: 0, failed: 0 }
  const open: FetchLine[] = []
  for await (const line of readFetchFile(chunks, encoding)) {
    options.signal.throwIfAborted()
    if ('wrong' in line) throw new DataferryError('BAG_INVALID', `fetch.txt is refused: ${line.wrong}`)
    if (await isThere(join(root, line.path))) counts.there++
    else open.push(line)
  }
  const sums = await sumsOf(bag, new Set(open.map(({ path }) => path)), encoding)
  for (const line of open) {
    options.signal.throwIfAborted()
    // An earlier line may have named it, too.
    if (await isThere(join(root, line.path))) {
      counts.there++
      continue
    }
    try {
      await translated(`write ${line.path}`, () => fetchOne(root, line, sums.get(line.path), options))
      counts.fetched++
      options.onFile(line, undefined)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.code === 'INTERRUPTED') throw error
      counts.failed++
      options.onFile(line, error)
    }
  }
  return counts
}

async function encodingOf(bag: BagSource): Promise<string> {
  const chunks = await bag.read('bagit.txt')
  let text = ''
  for await (const chunk of chunks ?? []) text = (text + Buffer.from(chunk).toString('utf8')).slice(0, 2_000)
  const found = chunks ? readDeclaration(text) : 'bagit.txt is missing'
  if (typeof found === 'string') throw new DataferryError('BAG_INVALID', `This is no bag: ${found}.`)
  return found.encoding
}

/** What every manifest of the payload says of some files: manifests are read as streams, since they may be long. */
async function sumsOf(
  bag: BagSource,
  paths: ReadonlySet<string>,
  encoding: string,
): Promise<ReadonlyMap<string, readonly Checksum[]>> {
  const sums = new Map<string, Checksum[]>()
  if (paths.size === 0) return sums
  for (const algorithm of ALGORITHMS) {
    const name = `manifest-${algorithm}.txt`
    for await (const line of textLines((await bag.read(name)) ?? nothing(), name, encoding)) {
      const [, hex = '', text = ''] = /^([0-9a-fA-F]+)[ \t]+\*?(.+)$/s.exec(line) ?? []
      const path = decodePath(text)
      if (paths.has(path)) sums.set(path, [...(sums.get(path) ?? []), { algorithm, hex: hex.toLowerCase() }])
    }
  }
  return sums
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

async function fetchOne(
  root: string,
  line: FetchLine,
  sums: readonly Checksum[] | undefined,
  options: CompleteOptions,
): Promise<void> {
  if (!sums) throw new DataferryError('BAG_INVALID', `${line.path} is in no manifest, so that nothing could prove it.`)
  const target = join(root, line.path)
  const inside = await realpath(root)
  let folder = dirname(target)
  while (!(await isThere(folder))) folder = dirname(folder)
  if (!`${await realpath(folder)}${sep}`.startsWith(`${inside}${sep}`)) {
    throw new DataferryError('BAG_INVALID', `${line.path} is refused: a link leads out of the bag.`)
  }
  await mkdir(dirname(target), { recursive: true })
  const part = join(inside, `.dataferry-${randomUUID()}.part`)
  const file = await open(part, 'wx')
  try {
    const arrival = new Arrival(file, sums, line)
    for (let attempt = 1; !(await arrives(arrival, line, options, attempt)); attempt++);
    await arrival.prove()
    await file.sync()
    await rename(part, target)
  } finally {
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
  readonly #sums: readonly Checksum[]
  readonly #line: FetchLine
  #digests: Digests
  #size = 0

  constructor(file: FileHandle, sums: readonly Checksum[], line: FetchLine) {
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
    this.#digests.close()
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

  async #restart(): Promise<void> {
    this.#digests.close()
    this.#digests = this.#fresh()
    this.#size = 0
    await this.#file.truncate(0)
  }

  #fresh(): Digests {
    const algorithms: Algorithm[] = this.#sums.map(({ algorithm }) => algorithm)
    return new Digests(algorithms, this.#line.size)
  }
}
