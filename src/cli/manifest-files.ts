import { createReadStream, createWriteStream, type Stats } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { DataferryError } from '../errors.ts'
import { looksLikeReference } from '../manifest/reference.ts'
import { translated } from '../sinks/disk/errors.ts'
import type { Given } from './command.ts'
import { namesDatasets } from './find-datasets.ts'

/** A manifest as the user gave it, in a file that can be read more than once. */
export interface ManifestFile {
  readonly path: string
  /** For people: the path as typed, `-`, or what was given in its place. */
  readonly name: string
}

/**
 * The manifests that a command line names, to be read one after the other: `-m FILE` and the operands, each a file, `-` for
 * standard input, or an id, PID or address. Consecutive ones are the lines of one list.
 */
export class ManifestFiles implements AsyncDisposable {
  readonly files: ManifestFile[] = []
  /** Holds copies of what can be read only once. */
  #folder: string | undefined

  private constructor() {}

  /** Throws `ARGUMENT_INVALID` for what is neither a file nor a reference. Disposing removes copies that were made. */
  static async open(typed: Given): Promise<ManifestFiles> {
    const named = typed.text('manifest')
    const given = named === undefined ? typed.args : [named, ...typed.args]
    if (given.length === 0 && !namesDatasets(typed)) {
      throw refusal('No manifest is given: give a file, - for standard input, ids and PIDs, --collection or --query.')
    }
    return this.#filled((manifests) => manifests.#take(given))
  }

  /** A manifest that `write` makes; nobody has typed it. */
  static made(name: string, write: (path: string) => Promise<unknown>): Promise<ManifestFiles> {
    return this.#filled((manifests) => manifests.add(name, write))
  }

  static async #filled(fill: (manifests: ManifestFiles) => Promise<void>): Promise<ManifestFiles> {
    const manifests = new ManifestFiles()
    try {
      await fill(manifests)
      return manifests
    } catch (error) {
      await manifests[Symbol.asyncDispose]()
      throw error
    }
  }

  /** The bytes of all, one after the other. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    for (const { path } of this.files) yield* chunksOf(path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true })
  }

  async #take(given: readonly string[]): Promise<void> {
    const references: string[] = []
    const list = async (): Promise<void> => {
      if (references.length === 0) return
      const lines = `${references.splice(0).join('\n')}\n`
      await this.add('command line', (path) => writeFile(path, lines))
    }
    for (const one of given) {
      const there = one === '-' ? undefined : await stat(one).catch(() => undefined)
      if (one !== '-' && !there && looksLikeReference(one)) {
        references.push(one)
        continue
      }
      await list()
      await this.#takeFile(one, there)
    }
    await list()
  }

  async #takeFile(name: string, there: Stats | undefined): Promise<void> {
    if (name === '-') await this.add('-', (path) => pipeline(process.stdin, createWriteStream(path)))
    else if (there?.isFile()) this.files.push({ path: name, name })
    else if (there && !there.isDirectory()) {
      // A pipe, such as that of `<(…)`, can be read only once.
      await this.add(name, (path) => pipeline(createReadStream(name), createWriteStream(path)))
    } else throw refusal(`${name} is neither a file nor an id, PID or URL: check the spelling.`)
  }

  /** Adds one that `write` makes. */
  async add(name: string, write: (path: string) => Promise<unknown>): Promise<void> {
    const doing = `copy the manifest to the temporary folder ${tmpdir()}`
    const folder = (this.#folder ??= await translated(doing, () => mkdtemp(join(tmpdir(), 'dataferry-'))))
    const path = join(folder, `manifest-${this.files.length + 1}`)
    await translated(doing, () => write(path))
    this.files.push({ path, name })
  }
}

async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Buffer> = createReadStream(path)
  yield* stream
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
