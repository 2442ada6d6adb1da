import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { csvText } from '../../batch/wanted-rows.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { parseJson } from '../../json/parse-json.ts'
import type { FindingRecord } from '../../proof/verify/finding-record.ts'
import { translated } from '../../sinks/disk/errors.ts'
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
    for (const path of place.isStream ? [] : [place.path, writtenTo(place)]) {
      if (await canBeReplaced(path)) continue
      throw new DataferryError('ARGUMENT_INVALID', `${path} is there, and is no report: give --report another name.`)
    }
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
    await translated(`write ${writtenTo(this.#place)}`, () => this.#file.appendFile(this.#text))
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

/** Whether what is at the path of a report is an older one, whole or not, or nothing. */
async function canBeReplaced(path: string): Promise<boolean> {
  let head: string
  try {
    head = await beginningOf(path)
  } catch (error) {
    return systemCode(error) === 'ENOENT'
  }
  const [first = ''] = head.split('\n', 1)
  return head === '' || `${first}\n` === csvText(COLUMNS) || recordSchema.safeParse(parseJson(first)).success
}

async function beginningOf(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(GATHERED), 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

const recordSchema = z.looseObject({ path: z.string(), state: z.string(), kind: z.string() })
