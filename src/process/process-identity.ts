import { execFile } from 'node:child_process'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { promisify } from 'node:util'
import { z } from 'zod'
import { systemCode } from '../errors.ts'

/** One process, distinguished from any other that ever had its number. */
export const processIdentitySchema = z.object({
  /** Name of the machine. */
  host: z.string(),
  /** Boot and process namespace: process numbers mean the same where host and space are equal. */
  space: z.string(),
  pid: z.number().int().positive(),
  /** Clock ticks since boot on Linux, milliseconds since 1970 elsewhere; empty where the system does not tell. */
  startTime: z.string(),
})
export type ProcessIdentity = Readonly<z.infer<typeof processIdentitySchema>>

/**
 * - `alive`: it runs
 * - `dead`: proven: its number is free, a zombie's, or that of a later process
 * - `unknown`: it runs, or ran, where this process cannot look
 */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** An identity in a file name: `<machine>-<pid>-<start time>-<nonce>`. One per open sink. */
export type OwnerId = string

const OWNER = /^([0-9a-f]{12})-([1-9]\d*)-(\d+)-[0-9a-f]{8}$/
/** Other forms, of earlier versions or of systems that do not tell, cannot be compared. */
const START_TIME = /^[1-9]\d*$/

const exec = promisify(execFile)
let own: Promise<ProcessIdentity> | undefined
let space: Promise<string> | undefined

/** This process. */
export function ownProcess(): Promise<ProcessIdentity> {
  own ??= describeProcess(process.pid)
  return own
}

/** A process that is running on this machine. */
export async function describeProcess(pid: number): Promise<ProcessIdentity> {
  space ??= findSpace()
  return { host: hostname(), space: await space, pid, startTime: (await readStatus(pid))?.startTime ?? '' }
}

/** Reads an identity written as JSON; undefined for anything else. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    return processIdentitySchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** As `parseIdentity`, of a file that may be missing. */
export async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  return parseIdentity(await readFile(path, 'utf8').catch(() => ''))
}

/** Makes a unique owner id. */
export function newOwner(identity: ProcessIdentity): OwnerId {
  return `${machineOf(identity)}-${identity.pid}-${identity.startTime || '0'}-${randomBytes(4).toString('hex')}`
}

export function isOwner(text: string): boolean {
  return OWNER.test(text)
}

/** Whether a process still runs, as far as it can be told from here. */
export async function livenessOf({ host, space, pid, startTime }: ProcessIdentity): Promise<Liveness> {
  const here = await ownProcess()
  return host === here.host && space === here.space ? look(pid, startTime) : 'unknown'
}

/** As `livenessOf`, of the process behind an owner id. */
export async function ownerLiveness(owner: OwnerId): Promise<Liveness> {
  const [, machine, pid, startTime = ''] = OWNER.exec(owner) ?? []
  return machine === machineOf(await ownProcess()) ? look(Number(pid), startTime) : 'unknown'
}

function machineOf({ host, space }: ProcessIdentity): string {
  return createHash('sha256').update(`${host}\n${space}`).digest('hex').slice(0, 12)
}

async function look(pid: number, startTime: string): Promise<Liveness> {
  if (!exists(pid)) return 'dead'
  const status = await readStatus(pid)
  // It has just ended, is hidden from this user, or no file can be opened to look at it.
  if (!status) return exists(pid) ? 'unknown' : 'dead'
  if (status.ended) return 'dead'
  if (!START_TIME.test(startTime) || !START_TIME.test(status.startTime)) return 'unknown'
  return status.startTime === startTime ? 'alive' : 'dead'
}

/** Signal 0 tests only; `EPERM` means that it runs as another user. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

/** Containers of one machine share its boot id, but not their process numbers: the namespace tells them apart. */
async function findSpace(): Promise<string> {
  try {
    if (process.platform === 'darwin') return (await exec('sysctl', ['-n', 'kern.bootsessionuuid'])).stdout.trim()
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    const namespace = await readlink('/proc/self/ns/pid')
    return `${boot.trim()}-${/\d+/.exec(namespace)?.[0] ?? ''}`
  } catch {
    // A unique value, so nothing is ever claimed about another process.
    return randomUUID()
  }
}

interface Status {
  readonly startTime: string
  /** A zombie has ended, and stays until its parent waits for it. */
  readonly ended: boolean
}

/**
 * Undefined when the system does not tell.
 * @see proc_pid_stat(5): the name in parentheses may hold anything; state is field 3, the start time field 22.
 */
async function readStatus(pid: number): Promise<Status | undefined> {
  if (process.platform !== 'linux') return readStatusFromPs(pid)
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state = ''] = fields
  return state === '' ? undefined : { startTime: fields[19] ?? '', ended: state === 'Z' || state === 'X' }
}

async function readStatusFromPs(pid: number): Promise<Status | undefined> {
  const ps = ['LC_ALL=C', 'TZ=UTC', 'ps', '-o', 'stat=,lstart=', '-p', String(pid)]
  const { stdout } = await exec('env', ps).catch(() => ({ stdout: '' }))
  const [state = '', ...date] = stdout.trim().split(/\s+/)
  if (state === '') return undefined
  const startedAt = Date.parse(`${date.join(' ')} UTC`)
  return { startTime: Number.isNaN(startedAt) ? '' : String(startedAt), ended: state.startsWith('Z') }
}
