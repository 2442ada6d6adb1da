import { describe } from 'vitest'
import type { Sink } from '../../src/sinks/sink.ts'
import { describeFiles } from './sink-files.ts'
import { describePuts } from './sink-puts.ts'
import { describeRecords } from './sink-records.ts'
import { describeStages } from './sink-stages.ts'

export interface SinkUnderTest {
  readonly sink: Sink
  /** The same place as a new process finds it, after the one behind `sink` died without closing anything. */
  reopen(): Promise<Sink>
  /** Closes what was opened and removes the place. */
  close(): Promise<void>
}

export interface SinkTraits {
  /** Bytes at the end of a part that an interruption may cost: 0 where each one is kept; the part size on S3. */
  readonly mayLose?: number
  /** Sizes to try, where the borders of the sink make some interesting. */
  readonly sizes?: readonly number[]
}

export type MakeSink = () => Promise<SinkUnderTest>

/** What every sink promises: one suite, run for each implementation. `make` gives an empty place each time. */
export function describeSink(name: string, make: MakeSink, traits: SinkTraits = {}): void {
  const { mayLose = 0, sizes = [0, 1, 100_000, 3 * 1024 * 1024 + 7] } = traits
  describe(`${name} sink`, () => {
    describeStages(make, { mayLose, sizes })
    describePuts(make)
    describeFiles(make)
    describeRecords(make)
  })
}
