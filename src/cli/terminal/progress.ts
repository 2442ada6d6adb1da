import { noticeKey, noticeText } from '../../model/notice.ts'
import { LiveDisplay } from './live-display.ts'
import type { Output } from './output.ts'
import { fraction, remainingMs, settledCount, type ProgressSnapshot } from '../../model/progress-snapshot.ts'
import { batchLine, picture } from './progress-text.ts'
import { Speedometer, type Speed } from '../../model/speedometer.ts'

/** Shows how far a batch is. */
export interface Progress {
  /** Takes the latest state. Limits how often it draws: call it a few times a second. */
  update(snapshot: ProgressSnapshot): void
  /** Shows the last state once more and releases the terminal. Safe to call twice. */
  stop(): void
}

export interface ProgressOptions {
  readonly out: Output
  /** What is in progress, in a word: precedes the figures where there is room for it. */
  readonly label: string
  /** Then there are plain lines, as log lines and a live picture would draw over one another. */
  readonly logsToTerminal: boolean
  /** Milliseconds that only grow. */
  readonly now?: () => number
}

/** One way to show a state. */
interface Display {
  /** Whether enough has changed since the last time. */
  due(snapshot: ProgressSnapshot, msSinceLast: number): boolean
  show(snapshot: ProgressSnapshot, speed: Speed | undefined): void
  close(): void
}

/**
 * The display that fits: events with `--json`, nothing with `-q`, a live display on a terminal, else a plain line every
 * 10 seconds or 10 %. It has no timer of its own.
 */
export function startProgress({
  out,
  label,
  logsToTerminal,
  now = () => performance.now(),
}: ProgressOptions): Progress {
  const display = displayFor(out, label, logsToTerminal)
  const meter = new Speedometer()
  let last: ProgressSnapshot | undefined
  let shown: { readonly snapshot: ProgressSnapshot; readonly at: number } | undefined
  const show = (snapshot: ProgressSnapshot): void => {
    display.show(snapshot, meter.speed)
    shown = { snapshot, at: now() }
  }
  return {
    update: (snapshot) => {
      meter.note(now(), snapshot.bytes)
      last = snapshot
      if (!shown || display.due(snapshot, now() - shown.at)) show(snapshot)
    },
    stop: () => {
      if (last && shown?.snapshot !== last) show(last)
      last = undefined
      display.close()
    },
  }
}

function displayFor(out: Output, label: string, logsToTerminal: boolean): Display {
  if (out.json) return events(out)
  if (out.quiet) return { due: () => false, show: () => undefined, close: () => undefined }
  return out.redraws && !logsToTerminal ? live(out, label) : lines(out, label)
}

function live(out: Output, label: string): Display {
  const screen = new LiveDisplay(out)
  let end: string | undefined
  return {
    due: (_, ms) => ms >= 100,
    show: (snapshot, speed) => {
      // A terminal that does not know its size says 0.
      const { columns: wide = 0, rows: high = 0 } = out.terminal
      const [columns, rows] = [wide > 0 ? wide : 80, high > 0 ? high : 24]
      end = hasEnded(snapshot) ? undefined : batchLine(label, snapshot, undefined, columns)
      screen.draw(picture(label, snapshot, speed, { columns, rows }))
    },
    close: () => {
      screen.close()
      if (end !== undefined) out.say(end)
      end = undefined
    },
  }
}

/** The summary follows. */
function hasEnded(snapshot: ProgressSnapshot): boolean {
  return snapshot.planComplete && settledCount(snapshot) === snapshot.planned
}

function lines(out: Output, label: string): Display {
  let tenth = 0
  let told: ReadonlySet<string> = new Set()
  return {
    due: (snapshot, ms) =>
      ms >= 10_000 ||
      Math.floor(fraction(snapshot) * 10) > tenth ||
      snapshot.notices.some((one) => !told.has(noticeKey(one))),
    show: (snapshot, speed) => {
      for (const notice of snapshot.notices) if (!told.has(noticeKey(notice))) out.say(`! ${noticeText(notice)}`)
      told = new Set(snapshot.notices.map(noticeKey))
      // During planning the total grows: the share that is done may fall, and lines would come in bursts.
      tenth = Math.max(tenth, Math.floor(fraction(snapshot) * 10))
      out.say(batchLine(label, snapshot, speed))
    },
    close: () => undefined,
  }
}

function events(out: Output): Display {
  return {
    due: (_, ms) => ms >= 1_000,
    show: (snapshot, speed) => {
      const { active, notices, ...totals } = snapshot
      const left = remainingMs(snapshot, speed)
      out.record({
        event: 'progress',
        ...totals,
        settled: settledCount(snapshot),
        ...(speed !== undefined && { bytesPerSecond: Math.round(speed.bytesPerSecond) }),
        ...(left !== undefined && { remainingMs: Math.round(left) }),
        active,
        notices: notices.map(noticeText),
        waits: notices.filter((notice) => typeof notice !== 'string'),
      })
    },
    close: () => undefined,
  }
}
