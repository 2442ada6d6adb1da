import { open, rm, writeFile, type FileHandle } from 'node:fs/promises'
import type { Finding } from '../../batch/verify-destination.ts'
import { WantedAgain, type Omitted } from '../../batch/wanted-rows.ts'
import { mirroredItems } from '../../mirror/proof.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { pasted, unnamedServers } from '../pasted.ts'
import { replacingWrong } from '../replace-wrong.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { outputPlace } from './output-place.ts'
import { plural } from '../../model/format.ts'

/** The manifest of `--wanted`. Disposing removes it unless something was written to it. */
class WantedFile implements AsyncDisposable {
  readonly #name: string
  readonly #file: FileHandle
  readonly #again: WantedAgain
  readonly #omitted: Record<Omitted, number> = { unknown: 0, aside: 0, archive: 0 }

  constructor(name: string, file: FileHandle, records: Records) {
    this.#name = name
    this.#file = file
    this.#again = new WantedAgain(records, mirroredItems(records), 'published', (_, why) => {
      this.#omitted[why]++
      return Promise.resolve()
    })
  }

  async add(finding: Finding): Promise<void> {
    await this.#again.add(finding)
  }

  /** Writes what was added, and says how to fetch it from where `url` was found. */
  async write({ out, config }: Context, url: string): Promise<void> {
    await writeFile(this.#file, this.#again.rows())
    const { count, servers } = this.#again
    const { unknown, aside } = this.#omitted
    out.record({ event: 'wanted', manifest: this.#name, items: count })
    if (unknown > 0) {
      const what = plural(unknown, 'file')
      out.warn(`${what} cannot be included, as the plan is damaged: run the manifest again with --new.`)
    }
    if (aside > 0) {
      out.warn(
        `${plural(aside, 'file')} that mirrors keep in .dataferry cannot be included: restore from a copy of yours.`,
      )
    }
    if (count === 0) return
    out.line(`${this.#name} names ${plural(count, 'file')}. To fetch ${count === 1 ? 'it' : 'them'}:`)
    const words = [this.#name, '--to', shownUrl(url), '-e', replacingWrong(url)]
    out.line(`  ${pasted(config, 'run', [...words, ...unnamedServers(config, servers)])}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#again[Symbol.asyncDispose]()
    await this.#file.close()
    // A manifest of nothing is no manifest.
    if (this.#again.count === 0) await rm(this.#name)
  }
}

/** Opened before anything is read, so that nobody waits for hours to learn that it cannot be written. */
export async function openWanted(
  name: string | undefined,
  { records, url }: Pick<Sink, 'records' | 'url'>,
): Promise<WantedFile | undefined> {
  if (name === undefined) return undefined
  if (name === '-') throw new DataferryError('ARGUMENT_INVALID', '--wanted needs the name of a file.')
  await outputPlace('--wanted', name, url)
  try {
    return new WantedFile(name, await open(name, 'wx'), records)
  } catch (error) {
    const why = systemCode(error) === 'EEXIST' ? 'it already exists: give another name' : messageOf(error)
    throw new DataferryError('ARGUMENT_INVALID', `${name} cannot be written: ${why}.`)
  }
}
