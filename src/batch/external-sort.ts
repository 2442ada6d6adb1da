import { randomUUID } from 'node:crypto'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { DataferryError, messageOf } from '../errors.ts'
import { recordLines } from './record.ts'

/** Characters of what is kept in memory. */
const RUN_CHARACTERS = 8 << 20
/** Lines written with one call. */
const LINES_AT_ONCE = 1_000
/** Bytes of a run that are read at a time: of all runs, so that five hundred of them take 32 MiB. */
const PIECE = 64 * 1024

/** Digits of a key that is a number: the plan has fewer lines. */
const KEY_DIGITS = 16

/** A number as a key that sorts as numbers do. */
export function numberKey(n: number): string {
  return String(n).padStart(KEY_DIGITS, '0')
}

/** The text by whose UTF-16 code units keys are sorted. */
export function sortText(key: string): string {
  return JSON.stringify(key)
}

/** A version number as a key that sorts as numbers do: `1.9` before `1.10`. */
export function versionKey(version: string): string {
  return version.replaceAll(/\d+/g, (digits) => digits.padStart(8, '0'))
}

/** A value with its key, both as JSON, which holds no tab and no line break. */
interface Entry {
  readonly key: string
  readonly value: string
}

/** Bytes of the file, sorted. */
interface Run {
  readonly from: number
  readonly to: number
}

/** All values that were added with one key, in the order in which they were added. */
export interface Group<T> {
  readonly key: string
  readonly values: readonly T[]
}

/**
 * Groups any number of values by key in flat memory: an external merge sort. What does not fit into memory goes, in sorted runs,
 * to one file in the folder for temporary files (`TMPDIR`). The file has no name: it is gone with this process, however that
 * ends. Add all values first, then read the groups, as often as needed. Rejects with `TEMP_UNUSABLE`.
 */
export class ExternalSort<T> implements AsyncDisposable {
  readonly #schema: z.ZodType<T>
  readonly #runCharacters: number
  readonly #runs: Run[] = []
  #entries: Entry[] = []
  #characters = 0
  #file: FileHandle | undefined

  /** @param schema of the values, which must be the same after a round trip through JSON */
  constructor(schema: z.ZodType<T>, runCharacters = RUN_CHARACTERS) {
    this.#schema = schema
    this.#runCharacters = runCharacters
  }

  /** Takes a value; one call at a time. */
  async add(key: string, value: T): Promise<void> {
    const entry = { key: sortText(key), value: JSON.stringify(value) }
    this.#entries.push(entry)
    this.#characters += entry.key.length + entry.value.length
    if (this.#characters >= this.#runCharacters) await inTemporaryFolder(() => this.#spill())
  }

  /** Every value, in the order of the keys. */
  async *values(): AsyncGenerator<T> {
    for await (const { values } of this.groups()) yield* values
  }

  /** Every group, in the order of the keys. */
  async *groups(): AsyncGenerator<Group<T>> {
    let group: { key: string; values: T[] } | undefined
    let current: string | undefined
    for await (const { key, value } of this.#merged()) {
      if (group === undefined || key !== current) {
        if (group) yield group
        current = key
        group = { key: String(JSON.parse(key)), values: [] }
      }
      group.values.push(this.#schema.parse(JSON.parse(value)))
    }
    if (group) yield group
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#entries = []
    await this.#file?.close()
    this.#file = undefined
  }

  #merged(): AsyncGenerator<Entry> {
    const file = this.#file
    const runs = file ? this.#runs.map((run) => entriesOf(file, run)) : []
    return mergeAll([...runs, inMemory(sorted(this.#entries))])
  }

  async #spill(): Promise<void> {
    const file = (this.#file ??= await namelessFile())
    const entries = sorted(this.#entries)
    this.#entries = []
    this.#characters = 0
    const from = this.#runs.at(-1)?.to ?? 0
    let to = from
    for (let at = 0; at < entries.length; at += LINES_AT_ONCE) {
      const lines = entries.slice(at, at + LINES_AT_ONCE).map(({ key, value }) => `${key}\t${value}\n`)
      const bytes = Buffer.from(lines.join(''))
      await file.appendFile(bytes)
      to += bytes.length
    }
    this.#runs.push({ from, to })
  }
}

/** A file of this process alone, which the system removes when it is closed. */
async function namelessFile(): Promise<FileHandle> {
  const path = join(tmpdir(), `dataferry-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return file
}

async function inTemporaryFolder<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new DataferryError('TEMP_UNUSABLE', `Records cannot be sorted in ${tmpdir()}: ${messageOf(error)}.`)
  }
}

/** By UTF-16 code units. Entries of one key keep their order. */
function sorted(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
}

/** Merges sorted runs two by two; of equal keys the one of the earlier run comes first. */
function mergeAll(runs: readonly AsyncGenerator<Entry>[]): AsyncGenerator<Entry> {
  const [only] = runs
  if (runs.length <= 1) return only ?? inMemory([])
  const half = Math.floor(runs.length / 2)
  return merge(mergeAll(runs.slice(0, half)), mergeAll(runs.slice(half)))
}

async function* merge(left: AsyncGenerator<Entry>, right: AsyncGenerator<Entry>): AsyncGenerator<Entry> {
  let [a, b] = [await left.next(), await right.next()]
  while (a.done !== true && b.done !== true) {
    if (a.value.key <= b.value.key) {
      yield a.value
      a = await left.next()
    } else {
      yield b.value
      b = await right.next()
    }
  }
  for (; a.done !== true; a = await left.next()) yield a.value
  for (; b.done !== true; b = await right.next()) yield b.value
}

// eslint-disable-next-line @typescript-eslint/require-await -- runs on disk are read with awaits
async function* inMemory(entries: readonly Entry[]): AsyncGenerator<Entry> {
  yield* entries
}

async function* entriesOf(file: FileHandle, run: Run): AsyncGenerator<Entry> {
  for await (const { text = '' } of recordLines(bytesOf(file, run))) {
    const tab = text.indexOf('\t')
    yield { key: text.slice(0, tab), value: text.slice(tab + 1) }
  }
}

async function* bytesOf(file: FileHandle, { from, to }: Run): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafe(PIECE)
  for (let at = from; at < to;) {
    const { bytesRead } = await inTemporaryFolder(() => file.read(piece, 0, Math.min(PIECE, to - at), at))
    if (bytesRead === 0) throw new DataferryError('TEMP_UNUSABLE', `Sorted records in ${tmpdir()} were cut.`)
    at += bytesRead
    yield piece.subarray(0, bytesRead)
  }
}
