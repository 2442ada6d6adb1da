import type { ManifestLine } from '../model/entry.ts'
import { attempt, lineError, quoted } from './bad-line.ts'
import type { Line } from './lines.ts'
import type { Reading } from './reading.ts'
import { readRow } from './row.ts'
import { clean } from './text.ts'

/** A URL with the options that follow it. */
interface Download {
  readonly line: number
  readonly url: string
  readonly options: Map<string, string>
}

/**
 * Reads an input file of aria2: a URL per line, with mirrors after tabs, and below it the options of that download,
 * indented. `out`, `dir` and `checksum` are used; the others, which say how to fetch, are named once.
 * @see aria2c(1), "Input File"
 */
export async function* readAria2(
  lines: AsyncIterable<readonly Line[]>,
  reading: Reading,
): AsyncIterable<readonly ManifestLine[]> {
  const list = new Aria2List(reading)
  for await (const batch of lines) yield batch.flatMap((line) => list.push(line))
  yield list.finish()
}

/** Whether a line is an option of the download above it. */
export function isAria2Option(line: string): boolean {
  return readOption(line) !== undefined
}

function readOption(line: string): { readonly name: string; readonly value: string } | undefined {
  if (!line.startsWith(' ') && !line.startsWith('\t')) return undefined
  const text = line.trimStart()
  const equals = text.indexOf('=')
  if (equals > MAX_OPTION || !/^[a-z0-9-]+$/.test(text.slice(0, Math.max(0, equals)))) return undefined
  return { name: text.slice(0, equals), value: clean(text.slice(equals + 1)) }
}

const MAX_OPTION = 64

const OBEYED = ['out', 'dir', 'checksum']

class Aria2List {
  readonly #reading: Reading
  readonly #unused = new Set<string>()
  #download: Download | undefined

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /** Takes the next line. @returns the download before it, when the line begins another */
  push({ number, text, problem }: Line): readonly ManifestLine[] {
    if (problem !== undefined) return [...this.#end(), lineError(this.#reading, number, problem)]
    if (text.startsWith('#') || text.trim() === '') return []
    const option = this.#download && readOption(text)
    if (option) {
      this.#download?.options.set(option.name, option.value)
      return []
    }
    const ended = this.#end()
    this.#download = { line: number, url: clean(text.split('\t', 1)[0] ?? ''), options: new Map() }
    return ended
  }

  finish(): readonly ManifestLine[] {
    const ended = this.#end()
    const { name, notice } = this.#reading
    if (this.#unused.size > 0) notice(`${name}: options not used: ${[...this.#unused].map(quoted).join(', ')}`)
    return ended
  }

  #end(): readonly ManifestLine[] {
    const download = this.#download
    this.#download = undefined
    if (!download) return []
    const { line, url, options } = download
    for (const option of options.keys()) if (!OBEYED.includes(option)) this.#unused.add(option)
    const row = { url, ...pathOf(options), checksum: options.get('checksum')?.replace('=', ':') ?? '' }
    return [attempt(this.#reading, line, () => readRow(row, this.#reading.servers))]
  }
}

function pathOf(options: ReadonlyMap<string, string>): { readonly name?: string; readonly directory?: string } {
  const name = options.get('out')
  const directory = options.get('dir')
  return { ...(name && { name }), ...(directory && { directory }) }
}
