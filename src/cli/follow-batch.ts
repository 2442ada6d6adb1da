import { every } from '../async/every.ts'
import { DataferryError, isErrorCode } from '../errors.ts'
import type { Changes } from '../ledger/change.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import type { HeldItem } from '../ledger/workers.ts'
import type { Notice } from '../model/notice.ts'
import { shortId } from './batch-names.ts'
import type { Context } from './command.ts'
import type { Followed } from './run-to-end.ts'
import type { ProgressSnapshot } from './terminal/progress-snapshot.ts'
import { startProgress } from './terminal/progress.ts'

const LOOK_MS = 200
const REMIND_MS = 1_000

/** What is shown of the work on a batch. */
export interface View {
  /** Items of this batch that workers have now, in any process; some may wait for a stream. */
  readonly held: () => readonly HeldItem[]
  /** Reasons to wait. */
  readonly notices: () => readonly Notice[]
}

/**
 * Shows the progress of a batch until its report is written. Rejects when it is paused or cancelled, and with the signal's reason.
 * @param restore called when Redis came back empty, or older than the batch: the destination knows everything
 */
export async function followBatch(
  { out, logsToTerminal }: Pick<Context, 'out' | 'logsToTerminal'>,
  { ledger, changes }: { readonly ledger: Pick<Ledger, 'list' | 'get' | 'summary'>; readonly changes: Changes },
  id: string,
  { held, notices }: View,
  signal: AbortSignal,
  restore: () => Promise<unknown>,
): Promise<Followed> {
  const ids = (await ledger.list()).map((entry) => entry.id)
  const begun = performance.now()
  const before = (await ledger.summary(id)).bytes
  const progress = startProgress({ out, label: shortId(id, ids), logsToTerminal })
  let last: ProgressSnapshot | undefined
  const show = (snapshot: ProgressSnapshot): void => {
    last = snapshot
    progress.update(snapshot)
  }
  // A look takes as long as Redis does not answer: meanwhile people see why nothing moves.
  const reminding = every(
    REMIND_MS,
    () => last && show({ ...last, notices: notices() }),
    () => undefined,
  )
  try {
    for (;;) {
      const entry = await ledger.get(id)
      if (!entry) {
        await restore()
        continue
      }
      const summary = await ledger.summary(id)
      // What other processes told a moment ago may have ended by now.
      const taken = entry.state === 'finished' ? [] : held()
      const moving = taken.filter(({ waits }) => waits !== true)
      const active = moving.map(({ path, bytes, size }) => ({ path, bytes, size }))
      const bytes = taken.reduce((sum, file) => sum + file.bytes, summary.bytes)
      show({ batch: id, ...summary, bytes, active, notices: notices() })
      if (entry.state === 'finished') return { ms: performance.now() - begun, bytes: bytes - before, ids }
      refuseHeld(entry)
      await nextLook(changes, id, signal)
    }
  } finally {
    await reminding.stop()
    progress.stop()
  }
}

/** Waits until the next look is due or the state of the batch changes. Rejects with the signal's reason. */
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

/** Workers pause a batch with a code first when it needs a person: a token, credentials, a bucket. */
function heldError({ id, reason }: LedgerEntry, what: string): DataferryError {
  const [code = '', ...rest] = (reason ?? '').split(': ')
  if (isErrorCode(code)) return new DataferryError(code, `${id} was ${what}: ${rest.join(': ')}`)
  return new DataferryError('INTERRUPTED', `${id} was ${what}${reason === undefined ? '' : ` ${reason}`}.`)
}
