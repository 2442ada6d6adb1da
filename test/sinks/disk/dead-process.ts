import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ownProcess, type ProcessIdentity } from '../../../src/process/process-identity.ts'

/** A process of this machine that has run and ended. */
export async function deadProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  const pid = child.pid
  await once(child, 'exit')
  if (pid === undefined) throw new Error('no process was started')
  return { ...(await ownProcess()), pid, startTime: '1' }
}
