import type { Result } from './contest.ts'
import { rounded } from './contest.ts'

export type Row = Readonly<Record<string, unknown>>

/** Prints one result as a JSON line on standard output, numbers rounded. */
export function emit(row: Row): void {
  process.stdout.write(
    `${JSON.stringify(row, (_key, value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? rounded(value) : value))}\n`,
  )
}

/** Prints lines for people on standard error. */
export function say(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`)
}

/** One contender in a table and in the JSON: work per second, and how many times as fast dataferry was. */
export interface Standing {
  readonly name: string
  readonly seconds: number
  readonly best: number
  readonly cpuSeconds: number
  readonly perSecond: number
  /** Rate of dataferry over the rate of this one: above 1 dataferry is ahead. */
  readonly dataferryIs: number
}

/** Compares everybody with the contender named `dataferry`. `amount` is the work of one run, in any unit. */
export function standings(results: readonly Result[], amount: number): Standing[] {
  const own = results.find(({ name }) => name === 'dataferry')?.seconds ?? NaN
  return results.map(({ name, seconds, best, cpuSeconds }) => ({
    name,
    seconds,
    best,
    cpuSeconds,
    perSecond: amount / seconds,
    dataferryIs: seconds / own,
  }))
}

/** Prints a table of standings on standard error. */
export function table(title: string, unit: string, rows: readonly Standing[]): void {
  say(
    '',
    title,
    `  ${'contender'.padEnd(26)}${'seconds'.padStart(10)}${unit.padStart(12)}${'CPU s'.padStart(9)}  dataferry is`,
  )
  for (const { name, seconds, perSecond, cpuSeconds, dataferryIs } of rows) {
    const numbers = [
      seconds.toFixed(2).padStart(10),
      perSecond.toFixed(1).padStart(12),
      cpuSeconds.toFixed(2).padStart(9),
    ]
    say(`  ${name.padEnd(26)}${numbers.join('')}  ${name === 'dataferry' ? '' : `${dataferryIs.toFixed(2)} ×`}`)
  }
}
