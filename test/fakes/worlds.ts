import { afterEach } from 'vitest'
import type { FileSpec } from './dataverse/specs.ts'
import { startDataverse } from './dataverse/server.ts'
import type { StandIn, StandInOptions } from './dataverse/server.ts'
import { World } from './dataverse/world.ts'

/** The dataset that `worldOf` makes. */
export const PID = 'doi:10.5072/FK2/TEST'

/** One released dataset with these files; ids as given. */
export function worldOf(...files: readonly FileSpec[]): World {
  const world = new World()
  world.dataset(PID, { id: 10, title: 'Test', files })
  return world
}

export const TABLE = {
  id: 50,
  label: 'table.tab',
  tabular: { original: 'a,b\r\n1,2\r\n', header: ['a', 'b'], tab: '1\t2\n' },
} as const satisfies FileSpec

/** Starts stand-ins that are closed after each test. */
export function standIns(): (options: StandInOptions) => Promise<StandIn> {
  const open: StandIn[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })
  return async (options) => {
    const started = await startDataverse(options)
    open.push(started)
    return started
  }
}
