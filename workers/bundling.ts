import type { BundleOptions } from '../src/archive/plan-bundles.ts'
import { areBundlesOff, recordBundlesOff } from '../src/batch/bundles-off.ts'
import type { Batch } from '../src/model/batch.ts'
import type { OpenBatch } from './batches.ts'

/** Limits of one request. */
export interface BundleSize {
  /** Few enough that ids of nine digits fit into a URL: the POST form of the request is refused when one of the files is withheld. */
  readonly files: number
  /** The most that is fetched again when a ZIP is cut off early. */
  readonly bytes: number
}

export const DEFAULT_BUNDLE_SIZE: BundleSize = { files: 200, bytes: 32 << 20 }

export interface BundlingDeps {
  readonly size: BundleSize
  /** Bytes that one ZIP of this server may hold; undefined: it does not say. Asked once per server. */
  readonly zipLimit: (server: string) => Promise<number | undefined>
  readonly notice: (cause: string, text: string | undefined) => void
}

/** Dataverse's default limit; servers before 6.1 do not report theirs. @see the protocol note §2.7 */
const USUAL_LIMIT = 104_857_600
/**
 * Up to this size one more request costs more than what a ZIP adds, measured at 50 ms an answer (decision 12): files of 128 KiB
 * came 1.8 times as fast in a ZIP, those of 512 KiB slower than individually.
 */
const AUTO_BYTES = 128 << 10
/** Bundles that fail in a row before a server gets no more of them. */
const MAX_FAILURES = 3

type BundledBatch = Pick<OpenBatch, 'batch' | 'sink'>

interface Standing {
  /** Whether there are to be no more bundles; undefined: not read yet. */
  off: Promise<boolean> | undefined
  /** In a row. */
  failures: number
}

/** Decides which batches and servers get bundles of small files, and stops where they keep failing. */
export class Bundling {
  readonly #deps: BundlingDeps
  readonly #limits = new Map<string, Promise<number>>()
  /** By batch, as long as it is open here, and server. */
  readonly #standings = new WeakMap<BundledBatch, Map<string, Standing>>()

  constructor(deps: BundlingDeps) {
    this.#deps = deps
  }

  /** @returns undefined: this server's files of this batch are fetched individually */
  async options(opened: BundledBatch, server: string): Promise<BundleOptions | undefined> {
    const { batch, sink } = opened
    const maxFileBytes = fileBytes(batch)
    if (maxFileBytes === undefined) return undefined
    const standing = this.#standing(opened, server)
    const off = (standing.off ??= areBundlesOff(sink.records, batch.id, server))
    off.catch(() => (standing.off = undefined))
    if (await off) return undefined
    const { files, bytes } = this.#deps.size
    const unverified = batch.bundleUnverified === true
    return { limit: await this.#limit(server), maxFileBytes, maxFiles: files, maxBytes: bytes, unverified }
  }

  /** A bundle failed, or held none of the requested files. */
  async failed(opened: BundledBatch, server: string): Promise<void> {
    const { batch, sink } = opened
    const standing = this.#standing(opened, server)
    standing.failures++
    const { failures } = standing
    if (failures < MAX_FAILURES) return
    standing.off = Promise.resolve(true)
    const text = `${server} failed to send ${failures} bundles in a row: its files are fetched individually.`
    this.#deps.notice(`bundles ${batch.id} ${server}`, text)
    await recordBundlesOff(sink.records, batch.id, server)
  }

  succeeded(opened: BundledBatch, server: string): void {
    this.#standing(opened, server).failures = 0
  }

  #standing(opened: BundledBatch, server: string): Standing {
    const servers = this.#standings.get(opened) ?? new Map<string, Standing>()
    const standing = servers.get(server) ?? { off: undefined, failures: 0 }
    this.#standings.set(opened, servers.set(server, standing))
    return standing
  }

  #limit(server: string): Promise<number> {
    const known = this.#limits.get(server)
    if (known) return known
    const asked = this.#deps.zipLimit(server).then(
      (limit) => limit ?? USUAL_LIMIT,
      () => {
        this.#limits.delete(server)
        return USUAL_LIMIT
      },
    )
    this.#limits.set(server, asked)
    return asked
  }
}

function fileBytes({ bundle = 'off' }: Batch): number | undefined {
  if (bundle === 'off') return undefined
  return bundle === 'auto' ? AUTO_BYTES : bundle
}
