import { setTimeout as sleep } from 'node:timers/promises'
import type { Ended, Started } from '../e2e/cli.ts'
import type { StandIn } from '../fakes/dataverse/server.ts'
import type { Chance } from './history.ts'

/**
 * Kills a command after some request of its, or a moment later, so that a slow machine meets it where a fast one does.
 * Resolves when it asks for nothing any more, with how it ended: perhaps by itself.
 * @param most requests that it may make
 */
export async function killed({ child, ended }: Started, server: StandIn, chance: Chance, most: number): Promise<Ended> {
  let left = 1 + chance.next(most)
  const reached = new Promise<void>((resolve) => {
    const when = (): boolean => {
      if (--left === 0) resolve()
      return false
    }
    server.fault({ when, steps: [{ kind: 'fine' }] })
  })
  await Promise.race([ended, reached])
  await Promise.race([ended, sleep(chance.next(4) === 0 ? 0 : chance.next(200))])
  child.kill('SIGKILL')
  return ended
}
