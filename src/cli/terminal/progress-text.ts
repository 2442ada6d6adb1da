import { noticeText } from '../../model/notice.ts'
import { visibleText } from '../../model/visible-text.ts'
import { formatBytes, formatCount, formatDuration, formatRate } from '../../model/format.ts'
import {
  bytesToFetch,
  fraction,
  remainingMs,
  settledCount,
  type ActiveFile,
  type ProgressSnapshot,
} from '../../model/progress-snapshot.ts'
import type { Speed } from '../../model/speedometer.ts'
import { displayWidth, pad, shortenPath, truncate, wrap } from './text.ts'

/** Room on a terminal. */
export interface Extent {
  readonly columns: number
  readonly rows: number
}

/** Terminals that have room for a bar, and for a long one. */
const WIDE = 72
const WIDER = 100
/** `1023 MiB of 1023 MiB` */
const FIGURES = 20

/** A fact about a batch, and its priority where not all fit: 1 is the highest. */
type Part = readonly [rank: number, text: string]

/** `120 of 2,000+ files` */
function filesText(snapshot: ProgressSnapshot, more: string): string {
  const { planned } = snapshot
  if (planned === 0 && more !== '') return 'no files planned yet'
  const noun = planned === 1 && more === '' ? 'file' : 'files'
  return `${formatCount(settledCount(snapshot))} of ${formatCount(planned)}${more} ${noun}`
}

/**
 * The batch in one line: `de72  6 %, 120 of 2,000 files, 1.2 GiB of 20 GiB, 23 MiB/s, 14 min left, 1 failed`. What matters
 * least is left out where it does not fit. A `+` says that planning still goes on.
 */
export function batchLine(
  label: string,
  snapshot: ProgressSnapshot,
  speed: Speed | undefined,
  columns = Infinity,
): string {
  const more = snapshot.planComplete ? '' : '+'
  const left = remainingMs(snapshot, speed)
  const whole = bytesToFetch(snapshot)
  const parts: readonly Part[] = [
    ...some(snapshot.planComplete, 1, `${Math.floor(Math.min(1, fraction(snapshot)) * 100)} %`),
    [5, filesText(snapshot, more)],
    ...some(whole > 0, 6, `${formatBytes(snapshot.bytes)} of ${formatBytes(whole)}${more}`),
    ...some(speed !== undefined && whole > 0, 2, formatRate(speed?.bytesPerSecond ?? 0)),
    ...some(left !== undefined, 3, `${formatDuration(left ?? 0)} left`),
    ...some(snapshot.kept > 0, 8, `${formatCount(snapshot.kept)} already there`),
    ...some(snapshot.failed > 0, 4, `${formatCount(snapshot.failed)} failed`),
    ...some(snapshot.waiting > 0, 4, `${formatCount(snapshot.waiting)} waiting`),
  ]
  const name = `${visibleText(label)}  `
  for (let rank = 8; rank > 0; rank--) {
    const shown = parts.filter((part) => part[0] <= rank).map((part) => part[1])
    const line = `${rank >= 7 ? name : ''}${shown.join(', ')}`
    if (displayWidth(line) <= columns && shown.length > 0) return line
  }
  return truncate(parts[0]?.[1] ?? '', columns)
}

function some(condition: boolean, rank: number, text: string): readonly Part[] {
  return condition ? [[rank, text]] : []
}

/** The whole display, within the given width and height: the batch, notices, files in progress. */
export function picture(
  label: string,
  snapshot: ProgressSnapshot,
  speed: Speed | undefined,
  { columns, rows }: Extent,
): string[] {
  const width = Math.max(1, columns - 1)
  const top = [
    batchLine(label, snapshot, speed, width),
    ...snapshot.notices.flatMap((notice) => wrap(`  ! ${visibleText(noticeText(notice))}`, width).split('\n')),
  ]
  // The cursor is on the line below the display.
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

function activeLine(file: ActiveFile, columns: number): string {
  const right = activeFigures(file, columns)
  const room = Math.max(8, columns - 2 - right.length)
  return `  ${pad(shortenPath(visibleText(file.path), room), room)}${right}`
}

/** A bar where there is room for one; on a narrow terminal a single figure. */
function activeFigures({ bytes, size }: ActiveFile, columns: number): string {
  const share = size === undefined ? '' : percent(bytes, size)
  if (columns < WIDE) return `  ${pad(share === '' ? formatBytes(bytes) : share, 8, 'right')}`
  const length = columns < WIDER ? 10 : 20
  const withBar = size === undefined ? '' : `${bar(bytes, size, length)} ${share}`
  const figures = size === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(size)}`
  return `  ${pad(withBar, length + 8, 'right')}  ${pad(figures, FIGURES, 'right')}`
}

function percent(bytes: number, size: number): string {
  return `${String(size === 0 ? 100 : Math.min(100, Math.floor((bytes / size) * 100))).padStart(3)} %`
}

function bar(bytes: number, size: number, length: number): string {
  const filled = size === 0 ? length : Math.min(length, Math.floor((bytes / size) * length))
  return `[${'#'.repeat(filled)}${'.'.repeat(length - filled)}]`
}
