import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { csvText } from '../../batch/wanted-rows.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import type { FindingRecord } from '../../proof/verify/finding-record.ts'
import { outputPlace, type OutputPlace } from './output-place.ts'

/** Characters that are gathered before they are written. */
const GATHERED = 64 * 1024

const COLUMNS = [
  'kind',
  'path',
  'batch',
  'mirror',
  'dataset',
  'expected',
  'found',
  'size',
  'why',
] as const satisfies readonly (keyof FindingRecord)[]

/**
 * The file of `--report`: every finding, as a table where its name ends in `.csv`, else as a JSON object a line. It shows under
 * its name, in the place of an older one, when the verification has ended; disposing before drops it. A device or a pipe gets
 * the findings as they come.
 */
export class ReportFile implements AsyncDisposable {
  readonly #place: OutputPlace
  readonly #file: FileHandle
  readonly #isTable: boolean
  #text = ''
  #isOpen = true

  private constructor(name: string, place: OutputPlace, file: FileHandle) {
    this.#place = place
    this.#file = file
    this.#isTable = name.toLowerCase().endsWith('.csv')
    if (this.#isTable) this.#text = csvText(COLUMNS)
  }

  /** Opened before anything is read, so that nobody waits for hours to learn that it cannot be written. */
  static async open(name: string | undefined, destination: string): Promise<ReportFile | undefined> {
    if (name === undefined) return undefined
    if (name === '-') {
      const message = '--report needs the name of a file: on standard output --json prints every finding.'
      throw new DataferryError('ARGUMENT_INVALID', message)
    }
    const place = await outputPlace('--report', name, destination)
    try {
      return new ReportFile(name, place, await open(writtenTo(place), 'w'))
    } catch (error) {
      throw new DataferryError('ARGUMENT_INVALID', `${name} cannot be written: ${messageOf(error)}.`)
    }
  }

  /** Undefined: it goes to a device or a pipe. */
  get url(): string | undefined {
    return this.#place.isStream ? undefined : pathToFileURL(this.#place.path).href
  }

  async add(record: FindingRecord): Promise<void> {
    this.#text += this.#isTable ? csvText(COLUMNS.map((column) => record[column] ?? '')) : `${JSON.stringify(record)}\n`
    if (this.#text.length >= GATHERED) await this.#write()
  }

  async end(): Promise<void> {
    await this.#write()
    await this.#close()
    if (!this.#place.isStream) await rename(writtenTo(this.#place), this.#place.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return
    await this.#close()
    if (!this.#place.isStream) await rm(writtenTo(this.#place))
  }

  async #write(): Promise<void> {
    await this.#file.appendFile(this.#text)
    this.#text = ''
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    await this.#file.close()
  }
}

function writtenTo({ path, isStream }: OutputPlace): string {
  return isStream ? path : `${path}.part`
}
