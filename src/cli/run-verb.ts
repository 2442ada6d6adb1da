import { anySignal } from '../async/any-signal.ts'
import { load, type LoadedConfig } from '../config/config.ts'
import { DATAFERRY_VERSION } from '../dataverse/version.ts'
import { DataferryError, messageOf } from '../errors.ts'
import { createLogger, type Logger } from '../log.ts'
import type { Command, ExitCode } from './command.ts'
import type { Verb } from './commands.ts'
import { isOfRedis, redisError } from '../queue/redis-error.ts'
import { exitCodeOf, isStop, reportError, stopCode } from './failure.ts'
import { CTRL_C, READER_GONE } from './interruption.ts'
import { openLogFile } from './log-file.ts'
import { parserFor, readArguments } from './parser.ts'
import { redisPlace } from './redis-place.ts'
import { StopLimits } from './stop-limits.ts'
import { supervision, tellSupervisor } from './supervision.ts'
import type { Output } from './terminal/output.ts'
import { outputFor, type World } from './world.ts'

/** Rejects with what is wrong in the command line itself; later errors are reported as that command line asks. */
export async function runVerb(verb: Verb, rest: readonly string[], world: World): Promise<ExitCode> {
  const command = await verb.load()
  const typed = readArguments(parserFor(verb.name, verb.summary, command), command, rest)
  const out = outputFor(world, typed)
  let log: Logger | undefined
  let config: LoadedConfig | undefined
  let { signal } = world
  let limits: StopLimits | undefined
  try {
    config = load({ flags: typed.settings, file: typed.config, env: world.env, cwd: world.cwd })
    for (const warning of config.warnings) out.warn(warning)
    log = openLog(config, typed.verbose, out)
    log.info({ command: verb.name, version: DATAFERRY_VERSION }, 'command begins')
    limits = limitsOf(command, config)
    signal = anySignal(world.signal, limits.signal)
    // Of several processes, the supervisor says it.
    if (!supervision()) {
      const tell = (): void => {
        if (!isUnread(command, signal)) out.interrupted(stopping(command, signal))
      }
      signal.addEventListener('abort', tell, { once: true })
    }
    // A file of answers that cannot be used is no surprise for later.
    if (config.settings.guestbook !== undefined && command.settings.includes('guestbook')) {
      await (await import('./answers.ts')).answersOf(config)
    }
    const logsToTerminal = config.settings.logFile === undefined && log.level !== 'silent'
    const { now = () => new Date() } = world
    const code = await command.run({ ...typed, config, out, log, logsToTerminal, signal, limits, now })
    const ended = code === 130 ? stopCode(signal.reason) : code
    log.info({ command: verb.name, code: ended }, 'command ended')
    return ended
  } catch (thrown) {
    const error = config && isOfRedis(thrown) ? redisError(thrown, redisPlace(config)) : thrown
    const stopped = isStop(error, signal)
    const code = stopped ? stopCode(signal.reason) : exitCodeOf(error)
    if (!stopped) reportError(error, out, typed.verbose)
    else if (!isUnread(command, signal)) out.say(command.stop?.stopped ?? 'Stopped.')
    log?.info({ command: verb.name, code, ...logged(error) }, 'command ended')
    return code
  } finally {
    limits?.end()
  }
}

/** A child leaves the limits to its supervisor, and tells it what it received. */
function limitsOf({ settings }: Command, config: LoadedConfig): StopLimits {
  if (supervision()) return new StopLimits({ onReceived: tellSupervisor() })
  const applies = settings.includes('maxDurationMs')
  return new StopLimits(applies ? config.settings : {})
}

/** Nothing is logged unless asked for: people get sentences. A file asks for what happens, as does `--verbose`. */
function openLog({ settings, sourceOf }: LoadedConfig, verbose: boolean, out: Output): Logger {
  const { logFile, logLevel } = settings
  const isAskedFor = verbose || logFile !== undefined
  const level = isAskedFor && sourceOf('logLevel').kind === 'default' ? 'info' : logLevel
  if (logFile === undefined) return createLogger(level)
  const onLoss = (reason: string): void => out.warn(`Log lines are lost, as ${logFile} cannot be written: ${reason}`)
  return createLogger(level, openLogFile(logFile, onLoss))
}

function logged(error: unknown): Readonly<Record<string, string>> {
  const message = messageOf(error)
  return error instanceof DataferryError ? { problem: error.code, message } : { message }
}

/** Whether the reader of a command that only prints went away, as `head` does: there is nothing to say then. */
function isUnread({ stop }: Command, { reason }: AbortSignal): boolean {
  return stop === undefined && messageOf(reason) === READER_GONE
}

/** `Stopping (SIGTERM); what was fetched is kept.` */
function stopping({ stop }: Command, { reason }: AbortSignal): string {
  const why = messageOf(reason)
  const what = stop === undefined ? '.' : `; ${stop.stopping}`
  return why === CTRL_C ? `Stopping${what} Press Ctrl-C again to stop at once.` : `Stopping (${why})${what}`
}
