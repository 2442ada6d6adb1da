import { waitOf } from '../ledger/server-state.ts'
import type { Servers } from '../ledger/servers.ts'
import type { WorkerRecord } from '../ledger/workers.ts'
import { shownUrl } from '../model/shown-url.ts'
import { destinationsOf, type DestinationStatus } from '../status.ts'
import type { Notices } from '../../workers/notices.ts'

/** Tells what holds up work that other processes do: servers on hold, and destinations that cannot be used from where they are. */
export class HoldsElsewhere {
  readonly #servers: Pick<Servers, 'get'>
  readonly #notices: Pick<Notices, 'set'>
  #destinations: ReadonlySet<string> = new Set()

  constructor(servers: Pick<Servers, 'get'>, notices: Pick<Notices, 'set'>) {
    this.#servers = servers
    this.#notices = notices
  }

  /**
   * Looks once.
   * @param names servers that matter
   * @param workers whose destinations matter
   * @param isWanted whether a destination does
   */
  async look(
    names: readonly string[],
    workers: readonly WorkerRecord[],
    isWanted: (destination: string) => boolean,
  ): Promise<void> {
    for (const server of names) {
      const { hold } = await this.#servers.get(server)
      this.#notices.set(`hold ${server}`, hold && { what: server, ...waitOf(hold) })
    }
    const held = workers.flatMap(destinationsOf).filter(({ destination }) => isWanted(destination))
    // Of several workers that see the same, one is enough.
    const first = new Map(
      held.reverse().map((one): [string, DestinationStatus] => [`${one.destination} ${one.host}`, one]),
    )
    for (const key of this.#destinations) if (!first.has(key)) this.#notices.set(key, undefined)
    for (const [key, { destination, host, hold }] of first) {
      this.#notices.set(key, { what: `${shownUrl(destination)}, seen from ${host},`, ...waitOf(hold) })
    }
    this.#destinations = new Set(first.keys())
  }
}
