import type { Cost } from './tools.ts'

/** One way to do the work, measured side by side with the others. */
export interface Contender<C extends Cost = Cost> {
  readonly name: string
  /** One run from nothing. The time of setting up and tidying is its own affair and not counted. */
  readonly run: () => Promise<C>
}

/** All runs of one contender. */
export interface Result<C extends Cost = Cost> {
  readonly name: string
  readonly seconds: number
  readonly best: number
  readonly cpuSeconds: number
  readonly runs: readonly C[]
}

/** Runs everybody `repeat` times, in turns, so that a machine that slows down slows everybody down. */
export async function contest<C extends Cost>(
  contenders: readonly Contender<C>[],
  repeat: number,
): Promise<Result<C>[]> {
  const runs = new Map<string, C[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < repeat; round++) {
    for (const { name, run } of contenders) {
      const cost = await run()
      runs.get(name)?.push(cost)
      process.stderr.write(`  ${name}: ${cost.seconds.toFixed(2)} s\n`)
    }
  }
  return [...runs].map(([name, all]) => ({
    name,
    seconds: median(all.map(({ seconds }) => seconds)),
    best: Math.min(...all.map(({ seconds }) => seconds)),
    cpuSeconds: median(all.map(({ cpuSeconds }) => cpuSeconds)),
    runs: all,
  }))
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2
}

/** Four significant digits: more would pretend to a precision that nobody has. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
