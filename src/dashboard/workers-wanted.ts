import type { ServerView } from './api/schemas.ts'

/**
 * How many worker processes could do something now: enough for the streams that each server allows and has jobs for. 0 means that
 * nothing is to be done, which an autoscaler may act on.
 * @param streamsEach streams of one server that a process keeps busy
 */
export function workersWanted(servers: readonly ServerView[], streamsEach: number): number {
  return servers.reduce((most, { hold, limit, waiting, active, delayed }) => {
    const jobs = waiting + active + delayed
    const streams = Math.min(limit, jobs)
    // One probes a server that is away; one that a person paused needs nobody.
    const wanted = hold?.by === 'person' ? 0 : hold ? Math.min(1, jobs) : Math.ceil(streams / streamsEach)
    return Math.max(most, wanted)
  }, 0)
}
