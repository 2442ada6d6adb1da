import { every } from '../../async/every.ts'
import type { VerifyProgress } from '../../batch/verify-destination.ts'
import type { Context } from '../command.ts'
import { startProgress } from '../terminal/progress.ts'
import { NO_PROGRESS, type ActiveFile, type ProgressSnapshot } from '../../model/progress-snapshot.ts'

const LOOK_MS = 200

export interface VerifyView {
  readonly progress: VerifyProgress
  /** Findings that are not right. */
  readonly wrong: number
  /** Files that are being read; undefined where none is. */
  readonly reading: readonly ActiveFile[] | undefined
}

/** Shows how far a verification is until it is stopped: first over the receipts, then over the files. */
export function showProgress(
  { out, logsToTerminal }: Pick<Context, 'out' | 'logsToTerminal'>,
  look: () => VerifyView,
): { stop(): Promise<void> } {
  let shown = startProgress({ out, label: 'receipts', logsToTerminal })
  let isOverFiles = false
  let hasBegun = false
  const update = (): void => {
    const view = look()
    const { phase, receipts } = view.progress
    if (!isOverFiles && phase !== 'receipts') {
      isOverFiles = true
      if (hasBegun) shown.update(overReceipts(receipts, receipts))
      shown.stop()
      shown = startProgress({ out, label: 'files', logsToTerminal })
    }
    hasBegun = true
    shown.update(snapshot(view))
  }
  const timer = every(LOOK_MS, update, () => undefined)
  return {
    stop: async () => {
      await timer.stop()
      // What took no time needs no display.
      if (hasBegun) update()
      shown.stop()
    },
  }
}

function snapshot({ progress, wrong, reading }: VerifyView): ProgressSnapshot {
  const { phase, planned, receipts, files, bytes, filesSeen, bytesSeen } = progress
  switch (phase) {
    case 'receipts':
      return overReceipts(receipts, planned)
    case 'listing':
      return { ...NO_PROGRESS, phase, planned: files, plannedBytes: bytes }
    case 'files': {
      const failed = Math.min(wrong, filesSeen)
      const some = { ...NO_PROGRESS, phase, planned: files, planComplete: true, done: filesSeen - failed, failed }
      if (!reading) return some
      const begun = reading.reduce((sum, file) => sum + file.bytes, bytesSeen)
      return { ...some, plannedBytes: bytes, bytes: begun, active: reading }
    }
  }
}

/** Of a line that was fetched more than once there is more than one receipt. */
function overReceipts(receipts: number, planned: number): ProgressSnapshot {
  return { ...NO_PROGRESS, phase: 'receipts', planned: Math.max(planned, receipts), planComplete: true, done: receipts }
}
