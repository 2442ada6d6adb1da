import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, it } from 'vitest'
import {
  describeProcess,
  livenessOf,
  newOwner,
  ownerLiveness,
  ownProcess,
  parseIdentity,
  type Liveness,
  type ProcessIdentity,
} from '../../src/process/process-identity.ts'
import { itWithMounts, PRIVATE_MOUNTS } from '../mounts.ts'
import { nodeProgram } from '../node-program.ts'

const CHILD = fileURLToPath(new URL('liveness.child.ts', import.meta.url))
const NODE = [process.execPath, ...nodeProgram(CHILD)].map((word) => `"${word}"`).join(' ')
const exec = promisify(execFile)
const children: ChildProcess[] = []

afterEach(() => Promise.all(children.splice(0).map(end)))

it('a process that runs is alive, and dead when it has ended', async () => {
  const child = sleeper()
  const identity = await describeProcess(child.pid ?? 0)
  expect(await both(identity)).toEqual(['alive', 'alive'])
  await end(child)
  expect(await both(identity)).toEqual(['dead', 'dead'])
})

it('a stopped process is alive', async () => {
  const child = sleeper()
  child.kill('SIGSTOP')
  expect(await both(await describeProcess(child.pid ?? 0))).toEqual(['alive', 'alive'])
})

it('a later process with the same number does not stand in for a dead one', async () => {
  expect(await both({ ...(await ownProcess()), startTime: '1' })).toEqual(['dead', 'dead'])
})

it('a process of another machine or container is unknown', async () => {
  const own = await ownProcess()
  expect(await both({ ...own, host: 'elsewhere' })).toEqual(['unknown', 'unknown'])
  expect(await both({ ...own, space: 'another container' })).toEqual(['unknown', 'unknown'])
})

it('a process whose start time cannot be compared is unknown', async () => {
  const own = await ownProcess()
  expect(await both({ ...own, startTime: '' })).toEqual(['unknown', 'unknown'])
  expect(await livenessOf({ ...own, startTime: 'Wed Sep 23 12:00:00 2026' })).toBe('unknown')
})

it('a live process is not dead to one that has no file descriptor left to look', async () => {
  expect(await seenBy('sh', ['-c', `ulimit -n 128; exec ${NODE} "$0" exhaust`])).toBe('unknown unknown')
})

itWithMounts('a live process is not dead to one from whom its entry in /proc is hidden', async () => {
  const [command = '', ...args] = PRIVATE_MOUNTS
  expect(await seenBy(command, [...args, `mount -t tmpfs none /proc/${process.pid}; exec ${NODE} "$0"`])).toBe(
    'unknown unknown',
  )
})

it('a number that stands for more than one process is no identity', async () => {
  for (const pid of [0, -1]) expect(parseIdentity(JSON.stringify({ ...(await ownProcess()), pid }))).toBeUndefined()
})

/** What another process can tell of this one. */
async function seenBy(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await exec(command, [...args, JSON.stringify(await ownProcess())])
  return stdout
}

async function both(identity: ProcessIdentity): Promise<readonly Liveness[]> {
  return [await livenessOf(identity), await ownerLiveness(newOwner(identity))]
}

function sleeper(): ChildProcess {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' })
  children.push(child)
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
