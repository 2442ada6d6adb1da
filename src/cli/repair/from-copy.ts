import { createHash } from 'node:crypto'
import { mapInOrder } from '../../async/map-in-order.ts'
import { DataferryError, isAboutDestination } from '../../errors.ts'
import { plural } from '../../model/format.ts'
import { NO_REF, type Item } from '../../model/item.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { OpenSource } from '../../model/source.ts'
import type { Failed } from '../../proof/repair/failed.ts'
import type { WrongFile, WrongFiles } from '../../proof/repair/wrong-files.ts'
import type { Sink } from '../../sinks/sink.ts'
import { transfer } from '../../transfer/transfer.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'

/** Files copied at the same time, and taken up while an earlier one is not finished. */
const [COPIES, AHEAD] = [4, 1_000]

/**
 * Copies what is wrong from another place that has the same files at the same paths. Bytes are compared with the receipts on their
 * way: what is damaged there, too, never shows here. Yields what could not be copied.
 */
export async function* fromCopy(
  { config, out, signal }: Context,
  sink: Sink,
  place: string,
  wrong: WrongFiles,
): AsyncGenerator<Failed> {
  const copy = await openDestination(config, place)
  try {
    if (copy.url === sink.url) {
      throw new DataferryError('ARGUMENT_INVALID', '--from names the destination itself: give another copy of it.')
    }
    out.say(`Copying ${plural(wrong.count, 'file')} from ${shownUrl(copy.url)} …`)
    const work = (one: WrongFile): Promise<Failed | undefined> => copied(one, sink, copy, signal)
    for await (const failed of mapInOrder(wrong.all(), { concurrency: COPIES, ahead: AHEAD }, work)) {
      if (failed) yield failed
    }
  } finally {
    await copy.close()
  }
}

/** @returns why not; undefined: the file is here */
async function copied(
  { path, expected }: WrongFile,
  sink: Sink,
  copy: Sink,
  signal: AbortSignal,
): Promise<Failed | undefined> {
  signal.throwIfAborted()
  const { size, checksum } = expected
  const failed = (code: string, message: string): Failed => ({ path, code, message })
  if (!checksum)
    return failed('CHECKSUM_MISMATCH', 'No receipt has a checksum of it, so no copy of it proves to be right.')
  const key = keyOf(path)
  const there = await copy.stat(path, key, signal)
  if (!there) return failed('SINK_FAILED', 'The copy has no such file.')
  if (size !== undefined && there.size !== size) {
    return failed('CHECKSUM_MISMATCH', `The copy has ${there.size} bytes instead of ${size}.`)
  }
  const item: Item = { n: 0, server: copy.url, ref: NO_REF, path, expect: { size: there.size, checksum } }
  const open: OpenSource = async () => ({
    body: await copy.read(path, signal),
    from: 0,
    size: there.size,
    etag: undefined,
    contentType: undefined,
    encoding: undefined,
    counted: false,
  })
  try {
    // An object store replaces only what was looked at.
    await sink.stat(path, key, signal)
    await transfer(item, { open, sink }, { key, signal, count: false })
    await sink.forget(key)
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof DataferryError) || isAboutDestination(error)) throw error
    const isDamaged = error.code === 'CHECKSUM_MISMATCH'
    return failed(error.code, isDamaged ? 'The copy is damaged as well.' : error.message)
  }
}

/** The same for a path in every run, so that what a killed one has copied is found. */
function keyOf(path: string): string {
  return `repair-${createHash('sha256').update(path).digest('hex').slice(0, 32)}-0`
}
