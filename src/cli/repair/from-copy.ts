import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { mapInOrder } from '../../async/map-in-order.ts'
import { ExternalSort } from '../../batch/external-sort.ts'
import { DataferryError, isAboutDestination } from '../../errors.ts'
import { ALGORITHMS, type Checksum } from '../../model/checksum.ts'
import { plural } from '../../model/format.ts'
import { NO_REF, type Item } from '../../model/item.ts'
import { checksumsOf } from '../../model/receipt.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { OpenSource } from '../../model/source.ts'
import { contentKey, elsewhere, type Elsewhere } from '../../proof/repair/elsewhere.ts'
import { failedSchema, type Failed } from '../../proof/repair/failed.ts'
import { wrongSchema, type WrongFile, type WrongFiles } from '../../proof/repair/wrong-files.ts'
import type { Sink } from '../../sinks/sink.ts'
import { transfer } from '../../transfer/transfer.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'

/** Files copied at the same time, and taken up while an earlier one is not finished. */
const WORK = { concurrency: 4, ahead: 1_000 }

const lackingSchema = z.object({ wrong: wrongSchema, failed: failedSchema })
type Lacking = z.infer<typeof lackingSchema>

/**
 * Copies what is wrong from another place: from the same paths there, else from where its records say that the same bytes are. Bytes
 * are compared with what was received on their way: what is damaged there, too, never shows here. Yields what could not be copied.
 */
export async function* fromCopy(
  { out, signal }: Context,
  sink: Sink,
  copy: Sink,
  wrong: WrongFiles,
): AsyncGenerator<Failed> {
  out.say(`Copying ${plural(wrong.count, 'file')} from ${shownUrl(copy.url)} …`)
  const copying = new Copying(copy, sink, signal)
  await using lacking = new ExternalSort<Lacking>(lackingSchema)
  let isLacking = false
  for await (const { one, failed } of mapInOrder(wrong.all(), WORK, copying.fromSamePath)) {
    const { checksum } = one.expected
    if (!failed) continue
    isLacking ||= checksum !== undefined
    if (checksum) await lacking.add(contentKey(checksum), { wrong: one, failed })
    else yield failed
  }
  if (!isLacking) return
  for await (const failed of mapInOrder(elsewhere(lacking, copy, signal), WORK, copying.fromElsewhere)) {
    if (failed) yield failed
  }
}

/** Opens the copy of `--from`; the caller closes it. Rejects with `ARGUMENT_INVALID` where it is no folder, or the destination itself. */
export async function openCopy({ config }: Context, sink: Sink, place: string): Promise<Sink> {
  const copy = await openDestination(config, place)
  try {
    const [here, there] = [await realUrl(sink.url), await realUrl(copy.url)]
    if (there === undefined) throw new DataferryError('ARGUMENT_INVALID', `--from ${place}: there is no such folder.`)
    if (here !== there) return copy
    throw new DataferryError('ARGUMENT_INVALID', '--from names the destination itself: give another copy of it.')
  } catch (error) {
    await copy.close()
    throw error
  }
}

/** With links followed; undefined: no folder is there. */
async function realUrl(url: string): Promise<string | undefined> {
  if (!url.startsWith('file:')) return url
  const path = await realpath(fileURLToPath(url)).catch(() => undefined)
  return path !== undefined && (await stat(path)).isDirectory() ? path : undefined
}

class Copying {
  readonly #copy: Sink
  readonly #sink: Sink
  readonly #signal: AbortSignal

  constructor(copy: Sink, sink: Sink, signal: AbortSignal) {
    this.#copy = copy
    this.#sink = sink
    this.#signal = signal
  }

  readonly fromSamePath = async (one: WrongFile): Promise<{ readonly one: WrongFile; readonly failed?: Failed }> => {
    const failed = await this.#copied(one, one.path)
    return { one, ...(failed && { failed }) }
  }

  readonly fromElsewhere = async ({ sought, paths }: Elsewhere<Lacking>): Promise<Failed | undefined> => {
    const { wrong, failed } = sought
    let last: Failed = failed
    for (const path of paths) {
      if (path === wrong.path) continue
      const again = await this.#copied(wrong, path)
      if (!again) return undefined
      last = again
    }
    return last
  }

  /** @returns why not; undefined: the file is here */
  async #copied({ path, expected }: WrongFile, from: string): Promise<Failed | undefined> {
    const signal = this.#signal
    signal.throwIfAborted()
    const [checksum, ...others] = strongestFirst(checksumsOf(expected))
    const failed = (code: string, message: string): Failed => ({ path, code, message })
    if (!checksum)
      return failed('CHECKSUM_MISMATCH', 'No receipt has a checksum of it, so no copy of it proves to be right.')
    const key = keyOf(path)
    const there = await this.#copy.stat(from, key, signal)
    if (!there) return failed('SINK_FAILED', 'The copy has no such file.')
    if (expected.size !== undefined && there.size !== expected.size) {
      return failed('CHECKSUM_MISMATCH', `The copy has ${there.size} bytes instead of ${expected.size}.`)
    }
    const item: Item = { n: 0, server: this.#copy.url, ref: NO_REF, path, expect: { size: there.size, checksum } }
    const open: OpenSource = async () => ({
      body: await this.#copy.read(from, signal),
      from: 0,
      size: there.size,
      etag: undefined,
      contentType: undefined,
      encoding: undefined,
      counted: false,
    })
    try {
      // An object store replaces only what was looked at.
      await this.#sink.stat(path, key, signal)
      const digests = others.map(({ algorithm }) => algorithm)
      await transfer(item, { open, sink: this.#sink }, { key, signal, count: false, digests })
      await this.#sink.forget(key)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof DataferryError) || isAboutDestination(error)) throw error
      const isDamaged = error.code === 'CHECKSUM_MISMATCH'
      return failed(error.code, isDamaged ? 'The copy has other bytes than were received, too.' : error.message)
    }
  }
}

/** A copy is judged by what is hardest to forge. */
function strongestFirst(checksums: readonly Checksum[]): readonly Checksum[] {
  return checksums.toSorted((a, b) => ALGORITHMS.indexOf(b.algorithm) - ALGORITHMS.indexOf(a.algorithm))
}

/** The same for a path in every run, so that what a killed one has copied is found. */
function keyOf(path: string): string {
  return `repair-${createHash('sha256').update(path).digest('hex').slice(0, 32)}-0`
}
