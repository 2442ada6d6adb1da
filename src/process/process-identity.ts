import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { systemCode } from '../errors.ts'

/** One process, told from every other one that ever had its number. */
export interface ProcessIdentity {
  /** Name of the machine, for people. */
  readonly host: string
  /** Boot and process namespace: two processes with the same value can see each other. */
  readonly space: string
  readonly pid: number
  readonly startTime: string
}

/** `unknown`: it runs, or ran, where this process cannot look. */
export type Life = 'alive' | 'dead' | 'unknown'

const exec = promisify(execFile)
let own: Promise<ProcessIdentity> | undefined

/** This process. */
export function ownProcess(): Promise<ProcessIdentity> {
  own ??= describeProcess(process.pid)
  return own
}

/** A process of this machine that runs now. */
export async function describeProcess(pid: number): Promise<ProcessIdentity> {
  return { host: hostname(), space: await ownSpace(), pid, startTime: (await startTimeOf(pid)) ?? '' }
}

/** Whether a process still lives. `dead` is a proof: its number is free, a zombie's, or that of a later process. */
export async function lifeOf(other: ProcessIdentity): Promise<Life> {
  if (other.space !== (await ownSpace())) return 'unknown'
  try {
    process.kill(other.pid, 0)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return 'dead'
  }
  const startTime = await startTimeOf(other.pid)
  return startTime === other.startTime ? 'alive' : 'dead'
}

let space: Promise<string> | undefined

function ownSpace(): Promise<string> {
  space ??= findSpace()
  return space
}

/** Containers of one machine share its boot id, but not their process numbers: the namespace tells them apart. */
async function findSpace(): Promise<string> {
  try {
    if (process.platform === 'darwin') return (await exec('sysctl', ['-n', 'kern.bootsessionuuid'])).stdout.trim()
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    const namespace = await readlink('/proc/self/ns/pid')
    return `${boot.trim()}-${/\d+/.exec(namespace)?.[0] ?? ''}`
  } catch {
    // Nobody else has this value, so nothing is ever claimed about another process.
    return randomUUID()
  }
}

/**
 * In the system's own words: clock ticks since boot on Linux, a date elsewhere. Undefined: no such process, or a zombie.
 * @see proc_pid_stat(5): the name in parentheses may hold anything; state is field 3, the start time field 22.
 */
async function startTimeOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    const { stdout } = await exec('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]).catch(() => ({ stdout: '' }))
    const [state = 'Z', ...date] = stdout.trim().split(/\s+/)
    return state.startsWith('Z') || date.length === 0 ? undefined : date.join(' ')
  }
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return state === undefined || state === '' || state === 'Z' || state === 'X' ? undefined : fields[19]
}
