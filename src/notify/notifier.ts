import { z } from 'zod'
import { messageOf } from '../errors.ts'
import type { Notifications } from '../ledger/notifications.ts'
import type { Logger } from '../log.ts'
import { notifyEventSchema, type NotifyEvent } from './event.ts'
import { wants, type NotifyTarget } from './target.ts'
import { webhookKey } from './webhook.ts'

/** An event that somebody has not been told of yet. */
const openSchema = z.object({
  event: notifyEventSchema,
  /** Keys of targets that have it. An earlier version kept the address of a webhook itself. */
  delivered: z
    .array(z.string())
    .transform((keys) => keys.map((key) => key.replace(/^webhook (https?:.*)$/is, (_, url: string) => webhookKey(url))))
    .default([]),
  attempts: z.number().int().nonnegative().default(0),
  /** When it is tried next, in ms since 1970. */
  nextAt: z.number().default(0),
})
type Open = Readonly<z.infer<typeof openSchema>>

export interface NotifierDeps {
  readonly notifications: Pick<Notifications, 'publish' | 'open' | 'update' | 'close'>
  readonly targets: readonly NotifyTarget[]
  readonly clock: () => Date
  readonly log: Logger
  /** Told of a target that does not take an event. */
  readonly onTrouble: (text: string) => void
  /** Wait before the second attempt; each further one is twice as long, up to an hour. */
  readonly firstMs?: number
}

const FIRST_MS = 5_000
const MAX_MS = 3_600_000
const GIVE_UP_MS = 3 * 24 * 3_600_000

/**
 * Delivers events to everybody who wants them, each until it was taken, with growing pauses, for three days at most. One process at a time
 * does this. Should it die between a delivery and its record, that one is repeated, under the same id.
 */
export class Notifier {
  readonly #deps: NotifierDeps

  constructor(deps: NotifierDeps) {
    this.#deps = deps
  }

  /** Keeps an event to be delivered, unless this id was kept before. */
  async publish(event: NotifyEvent): Promise<void> {
    await this.#deps.notifications.publish(event.id, JSON.stringify({ event }))
  }

  /** Tries everything whose time has come. */
  async deliver(signal: AbortSignal): Promise<void> {
    const { notifications, clock, log } = this.#deps
    for (const [id, text] of await notifications.open()) {
      const open = parse(text)
      if (!open) {
        log.warn({ event: id.slice(0, 200) }, 'an event that cannot be read was dropped')
        await notifications.close(id)
      } else if (open.nextAt <= clock().getTime()) {
        signal.throwIfAborted()
        await this.#deliver(id, open, signal)
      }
    }
  }

  async #deliver(id: string, open: Open, signal: AbortSignal): Promise<void> {
    const { notifications, targets, clock, log, firstMs = FIRST_MS } = this.#deps
    const { event } = open
    const delivered = [...open.delivered]
    const failed: NotifyTarget[] = []
    for (const target of targets) {
      if (!wants(target, event.kind) || delivered.includes(target.key)) continue
      try {
        await target.send(event, signal)
        delivered.push(target.key)
        await notifications.update(id, JSON.stringify({ ...open, delivered }))
        log.info({ event: id, target: target.name }, 'delivered')
      } catch (error) {
        signal.throwIfAborted()
        failed.push(target)
        log.warn({ event: id, target: target.name, problem: messageOf(error) }, 'not delivered')
        if (open.attempts === 0) this.#deps.onTrouble(`${target.name} could not be told: ${messageOf(error)}`)
      }
    }
    const now = clock().getTime()
    const isTooOld = now - Date.parse(event.at) > GIVE_UP_MS
    if (failed.length === 0 || isTooOld) {
      for (const { name } of failed) this.#deps.onTrouble(`${name} was not told in three days: ${event.text}`)
      await notifications.close(id)
      return
    }
    const nextAt = now + Math.min(MAX_MS, firstMs * 2 ** Math.min(20, open.attempts))
    await notifications.update(id, JSON.stringify({ ...open, delivered, attempts: open.attempts + 1, nextAt }))
  }
}

function parse(text: string): Open | undefined {
  try {
    return openSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
