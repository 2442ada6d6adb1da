/** Work that waits for something that is away, full, or paused by a person. */
export interface Wait {
  /** Begins a sentence: `https://demo.dataverse.org`, `/srv/data`, `Planning`. */
  readonly what: string
  /** One sentence for people, without secrets. */
  readonly reason: string
  readonly since: Date
  /** Undefined: nobody looks before a person says so. In the past: it is being looked at now. */
  readonly nextLook: Date | undefined
}

/** Something that people should know while it lasts. */
export type Notice = string | Wait

/** `https://demo.dataverse.org has been on hold since 12:04:05, next look at 12:05:05: it cannot be reached.` */
export function noticeText(notice: Notice): string {
  return typeof notice === 'string' ? notice : `${notice.what} has been ${holdText(notice)}`
}

/** The same without what waits: `on hold since 12:04:05, next look at 12:05:05: it cannot be reached.` */
export function holdText({ reason, since, nextLook }: Omit<Wait, 'what'>, now = new Date()): string {
  if (nextLook === undefined) return `paused since ${clockTime(since, now)}: ${reason}`
  const next = nextLook > now ? `next look at ${clockTime(nextLook, now)}` : 'being looked at now'
  return `on hold since ${clockTime(since, now)}, ${next}: ${reason}`
}

/** What tells a notice from others: a wait stays the same while its reason and its next look change. */
export function noticeKey(notice: Notice): string {
  return typeof notice === 'string' ? notice : `${notice.what} ${notice.since.getTime()}`
}

/** A local time for people at the screen: `04:05:09`, and with its day when that is not today: `2026-11-27 04:05`. */
export function clockTime(at: Date, now = new Date()): string {
  const two = (part: number): string => String(part).padStart(2, '0')
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two)
  if (at.toDateString() === now.toDateString()) return clock.join(':')
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two)
  return `${day.join('-')} ${clock.slice(0, 2).join(':')}`
}
