export const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Noon UTC of a day (`2026-11-27`): by then it has begun everywhere, and servers judge embargoes by their own local day. An
 * invalid date for what is no day.
 */
export function noonOf(day: string): Date {
  return new Date(`${day}T12:00:00Z`)
}

/** Whether a day has come wherever the server is. */
export function isDay(day: string, now: Date): boolean {
  return now >= noonOf(day)
}
