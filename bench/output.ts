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

/** What is compared: the unit of the rate, and the processor time that one unit of the work takes. */
export interface Measure {
  readonly title: string
  readonly unit: 'MiB/s' | 'files/s'
  /** Work of one run, in MiB or files. */
  readonly amount: number
}

/** Seconds a GiB, or milliseconds a file. */
const COST: Readonly<Record<Measure['unit'], { readonly name: string; readonly factor: number }>> = {
  'MiB/s': { name: 'CPU s/GiB', factor: 1024 },
  'files/s': { name: 'CPU ms/file', factor: 1000 },
}

/** Prints a table of standings on standard error, and each of them as a JSON line with what else is known `about` them. */
export function report({ title, unit, amount }: Measure, rows: readonly Standing[], about: Row): void {
  const cost = COST[unit]
  const head = ['seconds'.padStart(10), unit.padStart(12), cost.name.padStart(14)].join('')
  say('', title, `  ${'contender'.padEnd(28)}${head}  dataferry is`)
  for (const { name, seconds, best, perSecond, cpuSeconds, dataferryIs } of rows) {
    const cpu = (cpuSeconds * cost.factor) / amount
    emit({ ...about, title, unit, name, seconds, best, cpuSeconds, perSecond, dataferryIs, [cost.name]: cpu })
    const numbers = [seconds.toFixed(2).padStart(10), perSecond.toFixed(1).padStart(12), cpu.toFixed(2).padStart(14)]
    const ahead = name === 'dataferry' ? '' : `${dataferryIs.toFixed(2)} ×`
    say(`  ${name.padEnd(28)}${numbers.join('')}  ${ahead}`.trimEnd())
  }
}
