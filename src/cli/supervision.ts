import type { ChildProcess } from 'node:child_process'
import { z } from 'zod'
import type { LoadedConfig } from '../config/config.ts'
import { environment, type Environment } from '../config/environment.ts'
import { environmentHome, TOKEN_SERVER } from '../config/token-places.ts'
import { parseIdentity, type ProcessIdentity } from '../process/process-identity.ts'

/** In the environment of a child: among how many processes its command divides what it may take. */
const VARIABLE = 'DATAFERRY_SUPERVISED'
/** In the environment of a child: the dashboard that shows what it plans. */
const PLANNING_FOR = 'DATAFERRY_PLANNING_FOR'
const TELL_MS = 500

/** How a process is one of several that another one looks after; undefined: nobody looks after it. */
export function supervision(): { readonly processes: number } | undefined {
  const processes = Number(environment()[VARIABLE] ?? NaN)
  return processes >= 1 ? { processes } : undefined
}

/** The environment of a child that does a part of this command. */
export function childEnvironment(processes: number): Environment {
  return { ...environment(), [VARIABLE]: String(processes) }
}

/** The dashboard that this command plans for; undefined: a person or a script gave it. */
export function planningFor(): ProcessIdentity | undefined {
  return parseIdentity(environment()[PLANNING_FOR] ?? '')
}

/** The environment of a command that plans for this dashboard. */
export function planningEnvironment(env: Environment, dashboard: ProcessIdentity): Environment {
  return { ...env, [PLANNING_FOR]: JSON.stringify(dashboard) }
}

/** Nothing of this belongs to a command that is started for somebody else. */
const OWN = [VARIABLE, PLANNING_FOR, 'DATAFERRY_MAX_DURATION', 'DATAFERRY_MAX_TRANSFER']
const TOKENS = ['DATAVERSE_API_TOKEN', 'DATAVERSE_KEY', 'DATAFERRY_TOKEN_FILE']

/**
 * The environment of a command of its own. It has the tokens of this one, each for the server that it is for here, whatever server
 * that command names; without any server here nobody knows whose they are, and it has none.
 */
export function commandEnvironment({
  servers,
  settings: { tokenFile },
  sourceOf,
}: Pick<LoadedConfig, 'servers' | 'settings' | 'sourceOf'>): Environment {
  const env = environment()
  const home = environmentHome(env, servers)
  const isFlag = sourceOf('tokenFile').kind === 'flag' && servers[0] === home
  const without = home === undefined ? [...OWN, ...TOKENS] : OWN
  return {
    ...env,
    ...(isFlag && { DATAFERRY_TOKEN_FILE: tokenFile }),
    [TOKEN_SERVER]: home,
    ...Object.fromEntries(without.map((name) => [name, undefined])),
  }
}

const receivedSchema = z.object({ received: z.number().nonnegative() })

/** Sums up bytes, and tells the process that looks after this one, twice a second. */
export function tellSupervisor(): (bytes: number) => void {
  let untold = 0
  let timer: NodeJS.Timeout | undefined
  const tell = (): void => {
    timer = undefined
    // Without a channel nobody listens any more.
    if (process.connected) process.send?.({ received: untold } satisfies z.infer<typeof receivedSchema>)
    untold = 0
  }
  return (bytes) => {
    untold += bytes
    timer ??= setTimeout(tell, TELL_MS).unref()
  }
}

/** Hears from a child how many bytes it received. */
export function hearReceived(child: ChildProcess, onReceived: (bytes: number) => void): void {
  child.on('message', (message) => {
    const heard = receivedSchema.safeParse(message)
    if (heard.success) onReceived(heard.data.received)
  })
}
