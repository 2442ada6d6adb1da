import type { ChildProcess } from 'node:child_process'
import { z } from 'zod'
import { environment, type Environment } from '../config/environment.ts'

/** In the environment of a child: among how many processes its command divides what it may take. */
const VARIABLE = 'DATAFERRY_SUPERVISED'
const TELL_MS = 500

/** How a process is one of several that another one looks after; undefined: nobody looks after it. */
export function supervision(): { readonly processes: number } | undefined {
  const processes = Number(environment()[VARIABLE] ?? NaN)
  return processes >= 1 ? { processes } : undefined
}

/** The environment of a child. @param processes undefined: a command of its own */
export function childEnvironment(processes: number | undefined): Environment {
  return { ...environment(), [VARIABLE]: processes === undefined ? undefined : String(processes) }
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
