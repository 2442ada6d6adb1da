/** A rate that begins at a minute of the week and holds until the next one begins. */
export interface TimetableEntry {
  /** Minutes since Sunday 00:00, local time. */
  readonly minute: number
  /** Bytes a second; undefined: no limit. */
  readonly rate: number | undefined
}

const DAY = 24 * 60
const WEEK = 7 * DAY
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

/**
 * Rates by the time of day, and of the week: what rclone's `--bwlimit` reads.
 * @see https://rclone.org/docs/#bwlimit-bandwidth-spec
 */
export class Timetable {
  readonly #text: string
  /** By minute; never empty. */
  readonly #entries: readonly TimetableEntry[]

  private constructor(text: string, entries: readonly TimetableEntry[]) {
    this.#text = text
    this.#entries = entries
  }

  /**
   * Reads `08:00,2M 19:00,off` and `Mon-00:00,512K Sat-10:00,off`. An entry without a day is one of every day.
   * @param readRate undefined for what is no rate
   * @returns undefined for anything else
   */
  static parse(text: string, readRate: (text: string) => number | undefined): Timetable | undefined {
    const entries: TimetableEntry[] = []
    for (const word of text.split(/[\s;]+/).filter(Boolean)) {
      const [, day, hours = '', minutes = '', given = ''] =
        /^(?:([a-z]{3})-)?(\d{1,2}):(\d{2}),(\S+)$/i.exec(word) ?? []
      const days = day === undefined ? DAYS.keys() : [DAYS.findIndex((name) => name === day.toLowerCase())]
      // rclone takes a number without a unit for KiB, other tools for bytes.
      const rate = given.toLowerCase() === 'off' ? undefined : /[a-z]$/i.test(given) ? readRate(given) : NaN
      if (given === '' || Number(hours) > 23 || Number(minutes) > 59) return undefined
      if (Number.isNaN(rate) || (rate === undefined && given.toLowerCase() !== 'off')) return undefined
      for (const at of days) {
        if (at < 0) return undefined
        entries.push({ minute: at * DAY + Number(hours) * 60 + Number(minutes), rate })
      }
    }
    if (entries.length === 0) return undefined
    return new Timetable(
      text,
      entries.sort((a, b) => a.minute - b.minute),
    )
  }

  /** Bytes a second at this time; before the first entry of the week its last one holds. Undefined: no limit. */
  rateAt(now: Date): number | undefined {
    const minute = (now.getDay() * DAY + now.getHours() * 60 + now.getMinutes()) % WEEK
    const entry = this.#entries.findLast((one) => one.minute <= minute) ?? this.#entries.at(-1)
    return entry?.rate
  }

  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

/** Bytes a second: always the same, or by the time. */
export type Bandwidth = number | Timetable

/** Bytes a second that each of several processes may take now, so that together they keep to a bandwidth. */
export function shareOf(
  bandwidth: Bandwidth | undefined,
  processes = 1,
  now: () => Date = () => new Date(),
): () => number | undefined {
  if (bandwidth instanceof Timetable) {
    return () => {
      const rate = bandwidth.rateAt(now())
      return rate === undefined ? undefined : rate / processes
    }
  }
  const rate = bandwidth === undefined ? undefined : bandwidth / processes
  return () => rate
}
