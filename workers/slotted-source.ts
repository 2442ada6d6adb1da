import { StreamRevoked, type OpenBody, type OpenSource } from '../src/model/source.ts'
import type { Slot, StreamSlots } from './stream-slots.ts'

/**
 * A source whose streams each hold a slot from before the request until the last byte, and no longer: not through sync,
 * commit and settling. Rejects with `StreamRevoked` when a stream has to make way.
 * @param onWait told when a stream waits for its slot, and when it does no more
 */
export function slottedSource(
  open: OpenSource,
  slots: Pick<StreamSlots, 'acquire' | 'checkLease'>,
  onWait: (waits: boolean) => void = () => undefined,
): OpenSource {
  return async (ref, from, options) => {
    const waits = options.spare !== true
    if (waits) onWait(true)
    const slot = await slots
      .acquire(options.continuable === true, options.signal, options.spare)
      .finally(() => waits && onWait(false))
    const signal = AbortSignal.any([options.signal, slot.revoked])
    try {
      const opened = await open(ref, from, { ...options, signal })
      return { ...opened, body: held(opened.body, slot, options.signal, slots) }
    } catch (error) {
      slot.release()
      throw revokedOr(error, slot, options.signal)
    }
  }
}

async function* held(
  body: OpenBody['body'],
  slot: Slot,
  signal: AbortSignal,
  slots: Pick<StreamSlots, 'checkLease'>,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      // Before the chunk is used: a process that was frozen has lost its slot to others.
      slots.checkLease()
      slot.revoked.throwIfAborted()
      yield chunk
    }
  } catch (error) {
    throw revokedOr(error, slot, signal)
  } finally {
    slot.release()
  }
}

function revokedOr(error: unknown, { revoked }: Slot, signal: AbortSignal): unknown {
  return revoked.aborted && !signal.aborted ? new StreamRevoked('The stream made way for others.') : error
}
