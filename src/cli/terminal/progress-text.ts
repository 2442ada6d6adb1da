import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts'
import { bytesToFetch, remainingMs, settledCount, type ActiveFile, type ProgressSnapshot } from './progress-snapshot.ts'
import { pad, safeText, shortenPath, truncate } from './text.ts'

/** Room on a terminal. */
export interface Extent {
  readonly columns: number
  readonly rows: number
}

const BAR = 20
/** `1023 MiB of 1023 MiB` */
const FIGURES = 20
/** Narrower terminals do without the bar. */
const WIDE = 76

/**
 * The batch in one line: `b1  120 of 2,000 files, 1.2 GiB of 40 GiB, 23 MiB/s, 28 min left, 1 failed`.
 * A `+` says that planning still goes on.
 */
export function batchLine(snapshot: ProgressSnapshot, bytesPerSecond: number | undefined): string {
  const more = snapshot.planComplete ? '' : '+'
  const left = remainingMs(snapshot, bytesPerSecond)
  const parts = [
    `${formatCount(settledCount(snapshot))} of ${formatCount(snapshot.planned)}${more} files`,
    `${formatBytes(snapshot.bytes)} of ${formatBytes(bytesToFetch(snapshot))}${more}`,
    ...(bytesPerSecond === undefined ? [] : [formatRate(bytesPerSecond)]),
    ...(left === undefined ? [] : [`${formatDuration(left)} left`]),
    ...(snapshot.kept > 0 ? [`${formatCount(snapshot.kept)} already there`] : []),
    ...(snapshot.failed > 0 ? [`${formatCount(snapshot.failed)} failed`] : []),
  ]
  return `${safeText(snapshot.batch)}  ${parts.join(', ')}`
}

/** The whole picture, no line wider and no more lines than there is room for: the batch, notices, files under way. */
export function picture(
  snapshot: ProgressSnapshot,
  bytesPerSecond: number | undefined,
  { columns, rows }: Extent,
): string[] {
  const width = Math.max(1, columns - 1)
  const top = [batchLine(snapshot, bytesPerSecond), ...snapshot.notices.map((notice) => `  ! ${safeText(notice)}`)]
  // The line below the picture is where the cursor stands.
  const room = Math.max(1, rows - 1)
  const files = activeLines(snapshot.active, width, room - top.length)
  return [...top, ...files].slice(0, room).map((line) => truncate(line, width))
}

function activeLines(active: readonly ActiveFile[], columns: number, rows: number): string[] {
  if (active.length <= rows) return active.map((file) => activeLine(file, columns))
  if (rows < 2) return []
  const shown = active.slice(0, rows - 1).map((file) => activeLine(file, columns))
  return [...shown, `  … and ${formatCount(active.length - shown.length)} more`]
}

function activeLine({ path, bytes, size }: ActiveFile, columns: number): string {
  const figures = size === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(size)}`
  const share = size === undefined ? '' : percent(bytes, size)
  const withBar = columns >= WIDE && size !== undefined ? `${bar(bytes, size)} ${share}` : share
  const right = ` ${pad(withBar, columns >= WIDE ? BAR + 8 : 5, 'right')}  ${pad(figures, FIGURES, 'right')}`
  const room = Math.max(8, columns - 2 - right.length)
  return `  ${pad(shortenPath(safeText(path), room), room)}${right}`
}

function percent(bytes: number, size: number): string {
  return `${String(size === 0 ? 100 : Math.min(100, Math.floor((bytes / size) * 100))).padStart(3)} %`
}

function bar(bytes: number, size: number): string {
  const filled = size === 0 ? BAR : Math.min(BAR, Math.floor((bytes / size) * BAR))
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR - filled)}]`
}
