import type { HeardWorker } from '../ledger/workers.ts'
import type { SlotsOfProcess } from '../ledger/slots.ts'
import { fraction, remainingMs } from '../model/progress-snapshot.ts'
import { shellWord } from '../model/shell-word.ts'
import { shownUrl } from '../model/shown-url.ts'
import type { Speed } from '../model/speedometer.ts'
import type { Liveness } from '../process/process-identity.ts'
import { hasEnded, shownState, type BatchStatus, type ServerStatus } from '../status.ts'
import type { BatchView, ServerView, WorkerView } from './api/schemas.ts'

/** How fast a batch is, as far as that can be said. */
export interface Pace {
  readonly speed: Speed | undefined
  readonly filesPerSecond: number | undefined
}

export function batchView(batch: BatchStatus, { speed, filesPerSecond }: Pace): BatchView {
  const { id, reason, destination, servers, createdAt, owner, active, open, openBytes, ...figures } = batch
  const { planned, planComplete, plannedBytes, done, kept, failed, waiting, keptBytes } = figures
  const counts = { planned, planComplete, plannedBytes, done, kept, failed, waiting, keptBytes }
  const bytes = figures.bytes + openBytes
  const isOver = hasEnded(batch)
  const left = isOver ? undefined : remainingMs({ ...counts, bytes, notices: [] }, speed)
  return {
    id,
    state: shownState(batch),
    reason: reason ?? null,
    destination: shownUrl(destination),
    servers: [...servers],
    createdAt,
    owner: owner ? `process ${owner.pid} on ${owner.host}` : null,
    command: figures.attached && !owner && !isOver ? resumeCommand(batch) : null,
    ...counts,
    nextLook: batch.nextLook?.toISOString() ?? null,
    open,
    active,
    bytes,
    fraction: shareOf(batch, { ...counts, bytes }),
    bytesPerSecond: isOver ? null : (speed?.bytesPerSecond ?? null),
    filesPerSecond: isOver ? null : (filesPerSecond ?? null),
    secondsLeft: left === undefined ? null : Math.round(left / 1_000),
  }
}

/** What goes on with a batch that workers leave alone. */
export function resumeCommand({ destination }: Pick<BatchStatus, 'destination'>): string {
  return `dataferry resume ${shellWord(shownUrl(destination))}`
}

/** As the command shows it. A batch is whole only when every item has ended, whatever the sizes say. */
function shareOf({ open }: BatchStatus, figures: Parameters<typeof fraction>[0]): number {
  const share = Math.min(1, fraction(figures))
  return open > 0 || !figures.planComplete ? Math.min(share, 0.999) : share
}

export function serverView(
  { server, hold, looks, concurrency, bandwidth, waiting, active, delayed }: ServerStatus,
  slots: readonly SlotsOfProcess[],
  usualLimit: number,
  now: number,
): ServerView {
  const sum = (key: 'granted' | 'wanted'): number => slots.reduce((total, one) => total + one[key], 0)
  return {
    server,
    hold: hold
      ? { by: hold.by, reason: hold.reason, since: hold.since.toISOString(), nextLook: later(hold.nextLookMs, now) }
      : null,
    looks,
    concurrency: concurrency ?? null,
    limit: concurrency ?? usualLimit,
    bandwidth: bandwidth ?? null,
    waiting,
    active,
    delayed,
    streams: { granted: sum('granted'), wanted: sum('wanted') },
  }
}

export function workerView(worker: HeardWorker, alive: Liveness): WorkerView {
  const { id, host, pid, since, silentMs, scopes, holds, destinations } = worker
  return {
    id,
    host,
    pid,
    since,
    silentSeconds: Math.round(silentMs / 1_000),
    alive,
    scopes,
    holds: holds.map(({ batch, n, path, bytes, size, waits }) => ({
      batch,
      n,
      path,
      bytes,
      size: size ?? null,
      waits: waits === true,
    })),
    destinations: destinations.map(({ destination, reason, since }) => ({
      destination: shownUrl(destination),
      reason,
      since,
    })),
  }
}

/** A time by the clock of this machine. */
export function later(ms: number | undefined, now: number): string | null {
  return ms === undefined ? null : new Date(now + ms).toISOString()
}
