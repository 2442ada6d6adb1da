/** What is counted, each by the names of its labels; docs/dashboard.md tells what each means. */
export const COUNTED = {
  settled: ['server', 'outcome'],
  received: ['server'],
  answers: ['server', 'code'],
  /** By the number of the first of `DURATIONS_S` that is not shorter, or `sum` for all milliseconds together. */
  duration: ['bucket'],
  /** Milliseconds. */
  held: ['server', 'reason'],
} as const satisfies Readonly<Record<string, readonly string[]>>
export type Counted = keyof typeof COUNTED

/** Upper ends of the buckets of transfers, in seconds. */
export const DURATIONS_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400] as const

/** The name of a number: what is counted and the values of its labels. */
export function countKey(name: Counted, labels: readonly string[]): string {
  return JSON.stringify([name, ...labels])
}

/** Whole numbers that a process counts, until they are taken to where those of all processes are added up. */
export class Counts {
  #counts = new Map<string, number>()

  /** A counter, for where every chunk counts. */
  counter(name: Counted, ...labels: readonly string[]): (by: number) => void {
    const key = countKey(name, labels)
    return (by) => void this.#counts.set(key, (this.#counts.get(key) ?? 0) + by)
  }

  /** How an item ended. @param ms how long the work on it took; undefined: there was none */
  ended(server: string, outcome: string, ms: number | undefined): void {
    this.counter('settled', server, outcome)(1)
    if (ms === undefined) return
    const bucket = DURATIONS_S.findIndex((seconds) => ms <= seconds * 1_000)
    this.counter('duration', String(bucket === -1 ? DURATIONS_S.length : bucket))(1)
    this.counter('duration', 'sum')(Math.round(ms))
  }

  /** Everything counted since the last time. */
  take(): ReadonlyMap<string, number> {
    const taken = this.#counts
    this.#counts = new Map()
    return taken
  }

  /** Counts what was taken and could not be brought anywhere once more. */
  giveBack(taken: ReadonlyMap<string, number>): void {
    for (const [key, by] of taken) this.#counts.set(key, (this.#counts.get(key) ?? 0) + by)
  }
}
