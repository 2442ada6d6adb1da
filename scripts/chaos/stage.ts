import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startFrontDoor } from '../../test/fakes/front-door.ts'
import { Mounts, serverOutages, vanished, type CommandLine, type OutageGroup } from './outages.ts'

/** Who may be away for a while. */
export const OUTAGES_OF = ['server', 'destination'] as const
export type OutageOf = (typeof OUTAGES_OF)[number]

export function isOutageOf(name: string): name is OutageOf {
  return OUTAGES_OF.some((one) => one === name)
}

interface StageOptions {
  readonly outages?: readonly OutageOf[]
  readonly say: (text: string) => void
}

/** Where a run takes place. */
export interface Stage {
  /** The server's address for the players. */
  readonly server: string
  readonly outages: readonly OutageGroup[]
  /** A command line as the players run it. */
  readonly inside: (...command: CommandLine) => CommandLine
  clear(): Promise<void>
}

async function isPlanned(destination: string): Promise<boolean> {
  const batches = await readdir(join(destination, '.dataferry')).catch(() => [])
  return batches.some((batch) => existsSync(join(destination, '.dataferry', batch, 'plan.json')))
}

/** What outages need: a front door for the server, mounts for the destination. */
export async function setStage(
  { outages = [], say }: StageOptions,
  server: string,
  destination: string,
): Promise<Stage> {
  const door = outages.includes('server') ? await startFrontDoor(server) : undefined
  const mounts = outages.includes('destination') ? await Mounts.start() : undefined
  if (outages.includes('destination') && !mounts) say('This user may not mount: the destination only vanishes.')
  const groups: OutageGroup[] = []
  if (door) groups.push({ outages: serverOutages(door), isThere: () => Promise.resolve(true), hidesRecords: false })
  if (outages.includes('destination')) {
    groups.push({
      outages: [vanished(destination), ...(mounts?.outages(destination) ?? [])],
      // A batch is planned when Redis has heard of it. Before, an empty folder is as good as the one that was there.
      isThere: () => isPlanned(destination),
      hidesRecords: true,
    })
  }
  return {
    server: door?.url ?? server,
    outages: groups,
    inside: (...command) => mounts?.inside(...command) ?? command,
    async clear() {
      await door?.[Symbol.asyncDispose]()
      await mounts?.stop()
    },
  }
}
