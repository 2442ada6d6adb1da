import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf } from '../../errors.ts'
import { describeProcess } from '../../process/process-identity.ts'
import type { SharedBatch } from '../../ledger/schedules.ts'
import type { Schedule } from '../../schedule/definition.ts'
import type { CommandEnd, CommandProcess } from '../../schedule/scheduled-run.ts'
import type { Context } from '../command.ts'
import { reportOf, sharedBatchOf, type Asked } from '../heed-parent.ts'
import { commandEnvironment } from '../supervision.ts'

/** A command that does not end when asked to is killed, which loses nothing that was kept. */
const GRACE_MS = 15_000
/** Of what a command said, so much of the end is looked at. */
const TAIL = 4_096

/**
 * Starts the command of a schedule in a process of its own, with the Redis of this one. Never rejects.
 * @param options.log file that gets what it prints; undefined: it prints where this process does
 * @param options.isAgain it goes on with a run that was interrupted
 */
export async function startCommand(
  { config, out }: Pick<Context, 'config' | 'out'>,
  schedule: Schedule,
  { log, isAgain }: { readonly log: string | undefined; readonly isAgain: boolean },
): Promise<CommandProcess> {
  const { redis, prefix, stateDir, caFile, limitRate } = config.settings
  const file = log === undefined ? 'inherit' : openLog(log)
  const [, main = ''] = process.argv
  const child = spawn(
    process.execPath,
    [...process.execArgv, main, ...wordsOf(schedule, out.json && log === undefined, isAgain)],
    {
      cwd: schedule.cwd,
      env: {
        ...commandEnvironment(config),
        REDIS_URL: redis?.reveal() ?? '',
        DATAFERRY_PREFIX: prefix,
        DATAFERRY_STATE_DIR: stateDir,
        // Every worker of this Redis takes part.
        DATAFERRY_SHARE: 'yes',
        ...(caFile !== undefined && { DATAFERRY_CA_FILE: caFile }),
        ...(limitRate !== undefined && { DATAFERRY_BWLIMIT: String(limitRate) }),
      },
      stdio: ['ignore', file, file, 'ipc'],
      // Ctrl-C in a terminal goes to this process, which asks its child.
      detached: true,
    },
  )
  if (typeof file === 'number') closeSync(file)
  let report: string | undefined
  let share: (batch: SharedBatch | undefined) => void = () => undefined
  const shared = new Promise<SharedBatch | undefined>((resolve) => (share = resolve))
  child.on('message', (message) => {
    report = reportOf(message) ?? report
    const batch = sharedBatchOf(message)
    if (batch) share(batch)
  })
  let killer: NodeJS.Timeout | undefined
  const ended = new Promise<CommandEnd>((resolve) => {
    child.once('error', (error) => resolve({ code: 3, said: whyNotStarted(error, schedule) }))
    child.once('exit', (code) => resolve({ code: code ?? undefined }))
  }).then(async (end): Promise<CommandEnd> => {
    clearTimeout(killer)
    share(undefined)
    return { ...end, report, said: end.said ?? (log === undefined ? undefined : await tailOf(log)) }
  })
  if (child.pid === undefined) await once(child, 'error').catch(() => undefined)
  const ask = (asked: Asked): void => {
    if (child.connected) child.send(asked)
  }
  if (schedule.between !== undefined) ask({ hasHours: true })
  return {
    identity: child.pid === undefined ? undefined : await describeProcess(child.pid),
    ended,
    shared,
    park: (why) => ask({ park: why }),
    stop: () => {
      // Where there are hours, nobody may go on with it beyond them.
      if (schedule.between === undefined) child.kill('SIGTERM')
      else ask({ park: 'its scheduler ends' })
      killer ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref()
    },
  }
}

/** A folder that is missing is told by the system as if the program were. */
function whyNotStarted(error: Error, { cwd }: Schedule): string {
  const why = existsSync(cwd) ? error.message : `its folder ${cwd} is not there`
  return `it could not be started: ${why}`
}

/** The words of a command line. What goes on with an earlier one goes on with its batch. */
function wordsOf({ command: [verb = '', ...rest] }: Schedule, isJson: boolean, isAgain: boolean): readonly string[] {
  return [verb, ...(isJson ? ['--json'] : []), ...(isAgain ? rest.filter((word) => word !== '--new') : rest)]
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return openSync(path, 'w', 0o600)
}

async function tailOf(path: string): Promise<string> {
  try {
    const handle = await open(path)
    try {
      const { size } = await handle.stat()
      const from = Math.max(0, size - TAIL)
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from)
      return buffer.subarray(0, bytesRead).toString('utf8').trim()
    } finally {
      await handle.close()
    }
  } catch (error) {
    return messageOf(error)
  }
}
