import { every } from '../async/every.ts'
import { untilAborted } from '../async/until-aborted.ts'
import { within } from '../async/within.ts'
import { DataferryError } from '../errors.ts'
import type { Changes } from '../ledger/change.ts'
import { pausedWith, type Ledger, type LedgerEntry, type Summary } from '../ledger/ledger.ts'
import type { HeldItem } from '../ledger/workers.ts'
import type { Notice } from '../model/notice.ts'
import { openItems, type OpenItems } from '../status.ts'
import { shortId } from './batch-names.ts'
import type { Context } from './command.ts'
import type { Followed } from './run-to-end.ts'
import { startProgress, type Progress } from './terminal/progress.ts'

const LOOK_MS = 200
/** A look that takes longer waits for a Redis that is away. */
const SILENT_MS = 1_000

/** What is shown of the work on a batch. */
export interface View {
  /** Items of this batch that workers have now, in any process; some may wait for a stream. */
  readonly held: () => readonly HeldItem[]
  /** Told of each look. */
  readonly onLook?: (summary: Summary, open: OpenItems) => void
  /** Reasons to wait. */
  readonly notices: () => readonly Notice[]
  /** Asked when everything that is left waits: whether to stay. A question to a person ends with the signal. */
  readonly stays: (signal: AbortSignal) => Promise<boolean>
}

/**
 * Shows the progress of a batch until its report is written, or everything that is left waits and the command does not stay.
 * Rejects when it is paused or cancelled, and with the signal's reason.
 * @param restore called when Redis came back empty, or older than the batch: the destination knows everything
 */
export async function followBatch(
  { out, logsToTerminal }: Pick<Context, 'out' | 'logsToTerminal'>,
  { ledger, changes }: { readonly ledger: Looked & Pick<Ledger, 'list'>; readonly changes: Changes },
  id: string,
  { held, onLook, notices, stays }: View,
  signal: AbortSignal,
  restore: () => Promise<unknown>,
): Promise<Followed> {
  const ids = (await untilAborted(ledger.list(), signal)).map((entry) => entry.id)
  const begun = performance.now()
  const start = (): Progress => startProgress({ out, label: shortId(id, ids), logsToTerminal })
  let progress = start()
  let before: number | undefined
  let seen: Seen | undefined
  const show = ({ summary, open }: Seen): void => {
    const moving = open.active.filter(({ waits }) => waits !== true)
    const active = moving.map(({ path, bytes, size }) => ({ path, bytes, size }))
    progress.update({ batch: id, ...summary, bytes: summary.bytes + open.bytes, active, notices: notices() })
  }
  try {
    for (;;) {
      const last = seen
      // Redis may be away: what is waited for is shown all the same.
      const showing = every(
        SILENT_MS,
        () => last && show(last),
        () => undefined,
      )
      seen = await untilAborted(look(ledger, id, held()), signal).finally(() => showing.stop())
      if (!seen) {
        await untilAborted(restore(), signal)
        continue
      }
      const { entry, summary } = seen
      // It may have been open in between.
      const isNew = stateOf(seen) !== (last && stateOf(last))
      before ??= summary.bytes
      onLook?.(summary, seen.open)
      show(seen)
      let isOver = entry.state === 'finished'
      if (entry.state === 'waiting' && isNew) {
        progress.stop()
        isOver = !(await whileWaiting(changes, id, signal, stays))
        if (!isOver) progress = start()
      }
      if (isOver) return { ms: performance.now() - begun, bytes: summary.bytes - before, ids }
      refuseHeld(entry)
      await nextLook(changes, id, signal)
    }
  } catch (error) {
    // What came since the last look is part of what the command says when it stops.
    const last = await within(SILENT_MS, look(ledger, id, held())).catch(() => undefined)
    if (last) show(last)
    throw error
  } finally {
    progress.stop()
  }
}

function stateOf({ entry: { state }, summary: { done, kept, failed, waiting } }: Seen): string {
  return [state, done, kept, failed, waiting].join(' ')
}

/** What `stays` says; yes, too, once the batch does not wait any more. Rejects with the signal's reason. */
async function whileWaiting(changes: Changes, id: string, signal: AbortSignal, stays: View['stays']): Promise<boolean> {
  const changed = new AbortController()
  const stop = changes.onChange((change) => {
    if (change.kind === 'batch' && change.id === id && change.state !== 'waiting') changed.abort()
  })
  try {
    const isStaying = await stays(AbortSignal.any([signal, changed.signal]))
    signal.throwIfAborted()
    return isStaying || changed.signal.aborted
  } finally {
    stop()
  }
}

function hasReport({ state }: LedgerEntry): boolean {
  return state === 'finished' || state === 'waiting'
}

interface Seen {
  readonly entry: LedgerEntry
  readonly summary: Summary
  readonly open: OpenItems
}

type Looked = Pick<Ledger, 'get' | 'summary' | 'parts'>

/** @returns undefined when Redis does not know the batch */
async function look(ledger: Looked, id: string, held: readonly HeldItem[]): Promise<Seen | undefined> {
  const entry = await ledger.get(id)
  if (!entry) return undefined
  try {
    const summary = await ledger.summary(id)
    return { entry, summary, open: await openItems(ledger, entry, hasReport(entry) ? [] : held) }
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'BATCH_NOT_FOUND') return undefined
    throw error
  }
}

/** Waits for the time of the next look, or until the state of the batch changes. Rejects with the signal's reason. */
async function nextLook(changes: Changes, id: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve) => {
    const look = (): void => {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', look)
      resolve()
    }
    const timer = setTimeout(look, LOOK_MS)
    const stop = changes.onChange((change) => {
      if (change.kind === 'batch' && change.id === id) look()
    })
    signal.addEventListener('abort', look)
  })
  signal.throwIfAborted()
}

function refuseHeld(entry: LedgerEntry): void {
  if (entry.state === 'paused') throw heldError(entry, 'paused')
  if (entry.state === 'cancelled') throw heldError(entry, 'cancelled')
}

function heldError({ id, reason }: LedgerEntry, what: string): DataferryError {
  const error = pausedWith({ reason })
  if (error) return new DataferryError(error.code, `${id} was ${what}: ${error.message}`)
  return new DataferryError('INTERRUPTED', `${id} was ${what}${reason === undefined ? '' : ` ${reason}`}.`)
}
