import { DataferryError } from '../../errors.ts'
import { askMetadata, USUAL_METADATA } from '../../proof/ask-metadata.ts'
import type { Holding } from '../../proof/holding.ts'
import type { Context } from '../command.ts'
import { Sources } from '../sources.ts'

/** Metadata of holdings: what is kept with the data, and of the rest what the server has. Close it. */
export class MetadataGatherer {
  readonly #context: Context
  readonly #offline: boolean
  readonly #sources = new Map<string, Sources>()

  constructor(context: Context, offline: boolean) {
    this.#context = context
    this.#offline = offline
  }

  /** By file name. Says what could not be had. Rejects with `SOURCE_…` codes where the server cannot be asked. */
  async of({ name, dataset, metadata }: Holding): Promise<ReadonlyMap<string, Uint8Array>> {
    const kept = new Map(await metadata())
    if (!dataset || this.#offline) return kept
    const open = USUAL_METADATA.filter((file) => !kept.has(file))
    const source = this.#of(dataset.server).mirror(dataset.server)
    const { files, lacking } = await askMetadata(source, dataset, open, this.#context.signal).catch(
      (error: unknown) => {
        if (!(error instanceof DataferryError) || error.code === 'INTERRUPTED') throw error
        const message = `The metadata of ${dataset.pid} is not kept here, and its server did not say: ${error.message}`
        const advice = 'Try again later, or go on with what is kept here: --offline.'
        throw new DataferryError(error.code, message, { cause: error, advice })
      },
    )
    for (const [file, bytes] of files) kept.set(file, bytes)
    if (lacking.length > 0) {
      this.#context.out.warn(`${name}: ${dataset.server} has no ${lacking.join(', ')} of this version.`)
    }
    return kept
  }

  async close(): Promise<void> {
    for (const sources of this.#sources.values()) await sources.close()
  }

  /** The server was named when the data was fetched. */
  #of(server: string): Sources {
    const known = this.#sources.get(server) ?? new Sources(this.#context, [server])
    this.#sources.set(server, known)
    return known
  }
}
