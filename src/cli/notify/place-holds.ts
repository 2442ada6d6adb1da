import type { HeardWorker } from '../../ledger/workers.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { NotifyEvent } from '../../notify/event.ts'

/** A place that is on hold for workers. */
export interface PlaceHold {
  readonly subject: string
  readonly text: string
  readonly since: string
  readonly facts: NotifyEvent['facts']
}

/** Of each place, that of the worker that has waited longest: the others wait for the same. */
export function placeHolds(workers: readonly HeardWorker[]): readonly PlaceHold[] {
  const all = workers.flatMap(({ host, destinations, refused = [] }): PlaceHold[] => [
    ...destinations.map(({ destination: url, reason, since }) => {
      const destination = shownUrl(url)
      const text = `${destination} cannot be used from ${host}: ${reason}`
      return { subject: url, text, since, facts: { destination, host } }
    }),
    ...refused.map(({ server, reason, since }) => {
      return { subject: server, text: `${server} waits for you: ${reason}`, since, facts: { server, host } }
    }),
  ])
  const longest = new Map<string, PlaceHold>()
  for (const hold of all.sort((a, b) => b.since.localeCompare(a.since))) longest.set(hold.subject, hold)
  return [...longest.values()]
}
