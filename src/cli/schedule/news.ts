import { pausedWith, type Ledger } from '../../ledger/ledger.ts'
import type { MirrorRuns } from '../../ledger/mirror-runs.ts'
import type { Notifications } from '../../ledger/notifications.ts'
import type { SharedBatch } from '../../ledger/schedules.ts'
import type { NotifyEvent } from '../../notify/event.ts'
import type { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import type { ScheduleEvent } from '../../schedule/scheduled-run.ts'
import { reportFrom } from '../heed-parent.ts'

export interface NewsDeps {
  readonly folder: Pick<ScheduleFolder, 'history' | 'read'>
  readonly notifications: Pick<Notifications, 'publish'>
  readonly mirrors: Pick<MirrorRuns, 'list'>
  readonly ledger: Pick<Ledger, 'get'>
  readonly clock: () => Date
}

type Ended = Extract<ScheduleEvent, { readonly event: 'ended' }>
type Skipped = Extract<ScheduleEvent, { readonly event: 'skipped' }>

/** Publishes what people want to be told of schedules. */
export class ScheduleNews {
  readonly #deps: NewsDeps

  constructor(deps: NewsDeps) {
    this.#deps = deps
  }

  /** @param shared the batch of its run that workers had */
  async of(event: ScheduleEvent, shared: SharedBatch | undefined): Promise<void> {
    if (event.event === 'skipped') await this.#skipped(event)
    else if (event.event === 'ended' && needsPerson(event)) await this.#failed(event, shared)
  }

  /** One is no news: a run may take a little longer than usual. */
  async #skipped({ name, due, reason }: Skipped): Promise<void> {
    const lines = (await this.#deps.folder.history(name)).filter((line) => !('due' in line && line.due === due))
    const first = lines.slice(lines.findLastIndex((line) => line.event !== 'skipped') + 1)[0]
    if (first?.event !== 'skipped') return
    await this.#publish({
      id: `schedule:${name}:skipped:${first.due}`,
      kind: 'schedule-skipped',
      text: `Schedule ${name} was skipped twice: ${reason}.`,
      facts: { schedule: name, due, reason },
    })
  }

  async #failed(ended: Ended, shared: SharedBatch | undefined): Promise<void> {
    const { name, run, code, report } = ended
    const [verb = 'its command'] = (await this.#deps.folder.read(name))?.command ?? []
    if (await this.#isToldOf(ended, verb, shared)) return
    const end = code === undefined ? 'was ended by a signal' : `ended with ${code}: ${MEANING[code] ?? 'it failed'}`
    await this.#publish({
      id: `schedule:${name}:failed:${run}`,
      kind: 'schedule-failed',
      text: `Schedule ${name}: ${verb} ${end}. Look with: dataferry schedule show ${name}`,
      facts: {
        schedule: name,
        run,
        command: verb,
        ...(code !== undefined && { code }),
        ...(report !== undefined && { report }),
      },
    })
  }

  /** Whether the batch or the mirror of a run is told of itself. */
  async #isToldOf({ report }: Ended, verb: string, shared: SharedBatch | undefined): Promise<boolean> {
    if (report !== undefined && (verb === 'run' || verb === 'enqueue')) return true
    if (report !== undefined && verb === 'mirror' && (await this.#hasChanged(report))) return true
    const entry = shared && (await this.#deps.ledger.get(shared.id))
    return entry?.state === 'paused' && pausedWith(entry) !== undefined
  }

  async #hasChanged(report: string): Promise<boolean> {
    for (const { destination, mirror, recent } of await this.#deps.mirrors.list()) {
      for (const { run } of recent) {
        if (report === reportFrom({ event: 'mirror-run', mirror, run, destination })) return true
      }
    }
    return false
  }

  async #publish(news: Omit<NotifyEvent, 'at'>): Promise<void> {
    const event: NotifyEvent = { ...news, at: this.#deps.clock().toISOString() }
    await this.#deps.notifications.publish(event.id, JSON.stringify({ event }))
  }
}

/** What goes on by itself, was stopped by a person, or reached a limit that somebody set, needs nobody. */
function needsPerson({ code, parked }: Ended): boolean {
  return parked === undefined && (code === undefined || ![0, 10, 130].includes(code))
}

const MEANING: Readonly<Record<number, string>> = {
  1: 'something failed or is wrong',
  2: 'its command line, a setting or its manifest cannot be used',
  3: 'it could not start or continue',
}
