import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rename, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { FrontDoor } from '../../test/fakes/front-door.ts'

const run = promisify(execFile)

/** A condition that is there for a while. `end` resolves when it is gone, with what went wrong meanwhile. */
export interface Outage {
  readonly name: string
  begin(): Promise<void>
  end(): Promise<readonly string[]>
}

/** Of these outages there is one at a time. */
export interface OutageGroup {
  readonly outages: readonly Outage[]
  /** Whether what they take away is there already. */
  readonly isThere: () => Promise<boolean>
  /** The records are away: what Redis knows is all that is known, and nobody survives the loss of both at once. */
  readonly hidesRecords: boolean
}

/** A program and its arguments. */
export type CommandLine = readonly [string, ...string[]]

/** The server refuses connections, or a proxy in front of it answers with pages of its own. */
export function serverOutages(door: FrontDoor): readonly Outage[] {
  return (['refused', 502, 503] as const).map((how) => ({
    name: how === 'refused' ? 'the server refuses connections' : `the server answers ${how}`,
    begin: () => door.shut(how),
    end: () => door.open().then(() => []),
  }))
}

/** The folder of the destination has gone; it comes back under its name. */
export function vanished(destination: string): Outage {
  const aside = `${destination}.away`
  return {
    name: 'the destination vanishes',
    begin: () => rename(destination, aside),
    async end() {
      const problems = leftBehind(await readdir(destination, { recursive: true }).catch(() => []))
      await rm(destination, { recursive: true, force: true })
      await rename(aside, destination)
      return problems
    },
  }
}

/** Mounts of the players' own, so that nothing is left mounted whatever happens. Their namespace ends with `stop`. */
export class Mounts {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /** @returns undefined where this user may not mount */
  static async start(): Promise<Mounts | undefined> {
    const args = ['--map-root-user', '--mount', 'sh', '-c', 'mount -t tmpfs none /mnt && echo ready && exec sleep 1d']
    const holder = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const said = once(holder.stdout, 'data').then(() => true)
    const over = once(holder, 'exit').then(
      () => false,
      () => false,
    )
    return (await Promise.race([said, over])) ? new Mounts(holder) : undefined
  }

  /** A command line that sees these mounts. */
  inside(...command: CommandLine): CommandLine {
    return ['nsenter', '--target', String(this.#holder.pid), '--user', '--mount', '--', ...command]
  }

  async stop(): Promise<void> {
    const exit = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await exit
  }

  /** What is mounted over the folder of the destination: itself read-only, or the empty folder that an unmounted disk leaves. */
  outages(destination: string): readonly Outage[] {
    return [
      this.#over('the destination is read-only', destination, ['--bind', '-o', 'ro', destination, destination]),
      this.#over('the destination is not mounted', destination, ['-t', 'tmpfs', 'none', destination], true),
    ]
  }

  #over(name: string, destination: string, mount: readonly string[], isEmpty = false): Outage {
    return {
      name,
      begin: () => this.#run('mount', ...mount).then(() => undefined),
      end: async () => {
        const found = isEmpty ? await this.#run('find', destination, '-mindepth', '1') : ''
        // Lazily: somebody may still have a file of it open.
        await this.#run('umount', '--lazy', destination)
        return leftBehind(found.split('\n').filter((path) => path !== ''))
      },
    }
  }

  async #run(...command: CommandLine): Promise<string> {
    const [file, ...args] = this.inside(...command)
    return (await run(file, args)).stdout
  }
}

/** Whatever was written where a destination used to be begins a second one, or fills the disk below it. */
function leftBehind(found: readonly string[]): readonly string[] {
  const named = found.slice(0, 5).join(', ')
  return found.length === 0 ? [] : [`${found.length} written while the destination was away, such as ${named}`]
}
