import { createHash, randomBytes } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { systemCode } from '../errors.ts'

/** One running process, so that others can tell whether it still runs. */
export interface ProcessIdentity {
  /** 12 hex digits for one running system with one set of process ids: equal only where `pid` means the same. */
  readonly machine: string
  readonly pid: number
  /** When the process started, in clock ticks since boot; 0 where the system does not tell. Tells a reused pid apart. */
  readonly started: number
}

/** Who holds a part: `<machine>-<pid>-<started>-<nonce>`. One per open sink; safe as part of a file name. */
export type OwnerId = string

const OWNER = /^([0-9a-f]{12})-(\d+)-(\d+)-[0-9a-f]{8}$/

/** Makes an owner id that nobody else has. */
export function newOwner(identity: ProcessIdentity): OwnerId {
  return `${identity.machine}-${identity.pid}-${identity.started}-${randomBytes(4).toString('hex')}`
}

/** The process behind an owner id; undefined when it is not one. */
export function parseOwner(owner: string): ProcessIdentity | undefined {
  const [, machine, pid, started] = OWNER.exec(owner) ?? []
  if (machine === undefined) return undefined
  return { machine, pid: Number(pid), started: Number(started) }
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const status = await readProcess(process.pid)
  return { machine: await machineId(), pid: process.pid, started: status?.started ?? 0 }
}

/**
 * Whether the process behind `owner` certainly runs no more, as seen by a process on `machine`.
 * False for a process that runs, is stopped, or lives where we cannot see it.
 */
export async function isProvablyDead(owner: OwnerId, machine: string): Promise<boolean> {
  const identity = parseOwner(owner)
  if (identity?.machine !== machine) return false
  if (!pidExists(identity.pid)) return true
  const status = await readProcess(identity.pid)
  if (status === undefined) return false
  // A zombie has run to its end, and stays for as long as its parent does not look.
  return status.state === 'Z' || status.state === 'X' || (identity.started > 0 && status.started !== identity.started)
}

/** Signal 0 tests only; `EPERM` means that it runs as somebody else. */
function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

/**
 * State and start time of a process; undefined without a readable `/proc`.
 * @see proc_pid_stat(5): field 2 is the name in brackets and may hold anything; field 3 is the state, field 22 the start.
 */
async function readProcess(pid: number): Promise<{ state: string; started: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, started] = [fields[0], Number(fields[19])]
  return state !== undefined && Number.isSafeInteger(started) ? { state, started } : undefined
}

/**
 * Linux: host name, boot and process id namespace, since containers of one host share the boot id and not the pids.
 * Elsewhere: host name and network addresses; when those change, an owner merely counts as unknown.
 */
async function machineId(): Promise<string> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined)
  const namespace = await readlink('/proc/self/ns/pid').catch(() => undefined)
  const place = boot !== undefined && namespace !== undefined ? [boot.trim(), namespace] : hardwareAddresses()
  return createHash('sha256')
    .update([hostname(), ...place].join('\n'))
    .digest('hex')
    .slice(0, 12)
}

function hardwareAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return [...new Set(addresses.filter((address) => !address.internal).map((address) => address.mac))].sort()
}
