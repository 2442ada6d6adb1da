import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's young generation as large as it is now: two halves of 4 MiB once this program's first modules are loaded. Left
 * alone it grows to two of 16 MiB or more, twice over while it is collected, and tenures garbage that the old generation
 * keeps for long: 20,000 files took 302 MiB so, and 169 MiB with this, in the same processor time (docs/benchmarks.md).
 * V8 reads the flag whenever it might grow; `--max-semi-space-size` would have to stand on the command line of `node`.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
