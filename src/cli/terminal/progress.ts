import type { Logger } from '../../log.ts'
import { LiveDisplay } from './live-display.ts'
import type { Output } from './output.ts'
import { fraction, remainingMs, settledCount, type ProgressSnapshot } from './progress-snapshot.ts'
import { batchLine, picture } from './progress-text.ts'
import { Speedometer } from './speedometer.ts'

/** Shows how far a batch is. */
export interface Progress {
  /** Takes the latest state. Draws no more often than makes sense: call it a few times a second. */
  update(snapshot: ProgressSnapshot): void
  /** Shows the last state once more and gives the terminal back. Safe to call twice. */
  stop(): void
}

export interface ProgressOptions {
  readonly out: Output
  /** Log lines and a live picture would draw over one another: with a log there are plain lines. */
  readonly log: Logger
  /** Milliseconds that only grow. */
  readonly now?: () => number
}

/** One way to show a state. */
interface Display {
  /** Whether enough has changed since the last time. */
  due(snapshot: ProgressSnapshot, msSinceLast: number): boolean
  show(snapshot: ProgressSnapshot, bytesPerSecond: number | undefined): void
  close(): void
}

/**
 * The display that fits: events with `--json`, nothing with `-q`, a live picture on a terminal, else a plain line every
 * 10 seconds or 10 %. It has no timer of its own.
 */
export function startProgress({ out, log, now = () => performance.now() }: ProgressOptions): Progress {
  const display = displayFor(out, log)
  const speed = new Speedometer()
  let last: ProgressSnapshot | undefined
  let shown: { readonly snapshot: ProgressSnapshot; readonly at: number } | undefined
  const show = (snapshot: ProgressSnapshot): void => {
    display.show(snapshot, speed.bytesPerSecond)
    shown = { snapshot, at: now() }
  }
  return {
    update: (snapshot) => {
      speed.note(now(), snapshot.bytes)
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

function displayFor(out: Output, log: Logger): Display {
  if (out.json) return events(out)
  if (out.quiet) return { due: () => false, show: () => undefined, close: () => undefined }
  return out.redraws && log.level === 'silent' ? live(out) : lines(out)
}

function live(out: Output): Display {
  const screen = new LiveDisplay(out)
  let end: string | undefined
  return {
    due: (_, ms) => ms >= 100,
    show: (snapshot, rate) => {
      const { columns = 80, rows = 24 } = out.terminal
      end = batchLine(snapshot, rate)
      screen.draw(picture(snapshot, rate, { columns, rows }))
    },
    close: () => {
      screen.close()
      if (end !== undefined) out.say(end)
      end = undefined
    },
  }
}

function lines(out: Output): Display {
  let tenth = 0
  let notices: readonly string[] = []
  return {
    due: (snapshot, ms) =>
      ms >= 10_000 ||
      Math.floor(fraction(snapshot) * 10) > tenth ||
      snapshot.notices.some((one) => !notices.includes(one)),
    show: (snapshot, rate) => {
      for (const notice of snapshot.notices) if (!notices.includes(notice)) out.say(`! ${notice}`)
      notices = snapshot.notices
      // While planning goes on the whole grows: the part that is done may fall, and lines would come in bursts.
      tenth = Math.max(tenth, Math.floor(fraction(snapshot) * 10))
      out.say(batchLine(snapshot, rate))
    },
    close: () => undefined,
  }
}

function events(out: Output): Display {
  return {
    due: (_, ms) => ms >= 1_000,
    show: (snapshot, rate) => {
      const { active, ...totals } = snapshot
      const speed = { bytesPerSecond: Math.round(rate ?? 0), remainingMs: Math.round(remainingMs(snapshot, rate) ?? 0) }
      out.record({
        event: 'progress',
        ...totals,
        settled: settledCount(snapshot),
        ...(rate === undefined ? {} : speed),
        active,
      })
    },
    close: () => undefined,
  }
}
