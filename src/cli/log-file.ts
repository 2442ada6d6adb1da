import { constants, openSync, writeSync } from 'node:fs'
import { DataferryError, messageOf } from '../errors.ts'

/** Where log lines go. */
interface LogSheet {
  write(line: string): void
}

/**
 * Opens a file that log lines are added to; several processes may write to it. What cannot be written is left out: a disk that
 * fills under a log stops nothing. Throws `CONFIG_INVALID` when the file cannot be opened.
 * @param onLoss told once, with the reason, when lines are lost
 */
export function openLogFile(path: string, onLoss: (reason: string) => void): LogSheet {
  const file = openForAppending(path)
  let isCut = false
  let isTold = false
  return {
    write: (line) => {
      try {
        // The rest of a line that broke off must not become part of this one.
        const bytes = Buffer.from(isCut ? `\n${line}` : line)
        isCut = writeSync(file, bytes) < bytes.length
      } catch (error) {
        isCut = true
        if (!isTold) onLoss(messageOf(error))
        isTold = true
      }
    },
  }
}

/** A pipe that nobody reads must stop nothing, either. */
const APPENDING = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK

function openForAppending(path: string): number {
  try {
    return openSync(path, APPENDING, 0o600)
  } catch (error) {
    const message = `The log file ${path} cannot be opened: ${messageOf(error)}.`
    throw new DataferryError('CONFIG_INVALID', message, { advice: 'Name another one with --log-file.', cause: error })
  }
}
