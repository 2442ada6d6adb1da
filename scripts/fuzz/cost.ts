/** Milliseconds of processor time, of this process, that work may take besides: waking up, compiling, collecting. */
const FREE_MS = 400
/** Milliseconds a KiB: fifty times what reading takes, and a fiftieth of what a quadratic look at 64 KiB takes. */
const MS_A_KIB = 5

/** For each line that something is said of, e.g. an error with its stack. */
const MS_A_LINE = 0.2

/** Processor time so far; unlike the clock's, it does not grow while others have the processor. */
export function cost(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Throws when work on so many bytes took more than its share: steps grow faster than the text then. */
export function withinCost(begun: number, bytes: number, lines = 0): void {
  const took = cost() - begun
  if (took > FREE_MS + (MS_A_KIB * bytes) / 1024 + MS_A_LINE * lines) {
    throw new Error(
      `${bytes} bytes and ${lines} lines took ${Math.round(took)} ms of processor time, which is out of proportion`,
    )
  }
}
