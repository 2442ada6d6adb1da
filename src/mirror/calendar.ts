/** By noon UTC a day has begun everywhere: servers judge embargoes by their own local day. */
const NOON = 'T12:00:00Z'

/** Whether a day (`2026-11-27`) has come wherever the server is. */
export function isDay(day: string, now: Date): boolean {
  const at = Date.parse(`${day}${NOON}`)
  return !Number.isNaN(at) && now.getTime() >= at
}
