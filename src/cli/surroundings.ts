import { closeSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { isatty } from 'node:tty'
import { environment } from '../config/environment.ts'
import { systemCode } from '../errors.ts'
import { READER_GONE, type Interruption } from './interruption.ts'

/**
 * What happens to a command when its surroundings go away: a terminal is closed, a pipe loses its reader.
 * - Under `nohup` it continues, without a display.
 * - Where only the terminal has vanished (`disown`), writing to it fails with EIO: it also continues.
 * - Otherwise SIGHUP, and a closed pipe on standard output, ask it to park its work, as SIGTERM does.
 */
export function watchSurroundings(
  { onSignal, stop }: Interruption,
  source: Source,
  staysOn: boolean = isUnderNohup(),
): void {
  const { stdout, stderr } = source
  source.on('SIGINT', onSignal)
  source.on('SIGTERM', onSignal)
  // A terminal may hang up more than once: that is not a second Ctrl-C.
  source.on('SIGHUP', () => {
    if (!staysOn) stop('SIGHUP')
  })
  // `dataferry status | head -1`: nothing reads any more, so there is nothing to say and no reason to continue.
  stdout.on('error', (error) => {
    if (systemCode(error) === 'EPIPE' && !staysOn) stop(READER_GONE)
    else rethrowUnlessGone(error)
  })
  stderr.on('error', rethrowUnlessGone)
  leaveVanishedTerminal(source)
}

/** The part of `process` that is needed. */
interface Source {
  on(event: NodeJS.Signals | 'exit', listener: (name: NodeJS.Signals) => void): unknown
  readonly stdout: Heard
  readonly stderr: Heard
}

interface Heard {
  on(event: 'error', listener: (error: unknown) => void): unknown
}

function rethrowUnlessGone(error: unknown): void {
  if (!['EPIPE', 'EIO'].includes(systemCode(error) ?? '')) throw error
}

/** On exit Node.js restores the terminal, and aborts if that has vanished; it leaves closed streams alone. */
function leaveVanishedTerminal(source: Source): void {
  const terminals = [0, 1, 2].filter((file) => isatty(file))
  source.on('exit', () => {
    for (const file of terminals) if (!isatty(file)) closeSync(file)
  })
}

/**
 * Whether this process should outlive its terminal. Node.js resets an ignored SIGHUP when it starts, so its own state
 * does not tell. These do: the shell's `_`, standard input, which GNU nohup makes a write-only `/dev/null`,
 * and a script around this command that ignores the signal.
 */
function isUnderNohup(): boolean {
  return basename(environment()['_'] ?? '') === 'nohup' || hasWriteOnlyInput() || parentIgnoresHangup()
}

function parentIgnoresHangup(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${process.ppid}/status`, 'utf8'))?.[1] ?? '0'
    return (Number.parseInt(mask.slice(-1), 16) & 1) === 1
  } catch {
    return false
  }
}

function hasWriteOnlyInput(): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8'))?.[1] ?? '0'
    return readlinkSync('/proc/self/fd/0') === '/dev/null' && (Number.parseInt(flags, 8) & 3) === 1
  } catch {
    return false
  }
}
