import { closeSync, constants, existsSync, openSync, readSync, realpathSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DataferryError, messageOf } from '../errors.ts'
import { isAmongRecords, RECORDS_FOLDER } from '../sinks/names.ts'

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
  const refusal = (why: string, cause?: unknown): DataferryError => {
    const message = `The log file ${path} cannot be opened: ${why}.`
    return new DataferryError('CONFIG_INVALID', message, { advice: 'Name another one with --log-file.', cause })
  }
  try {
    if (isData(path)) throw refusal('it is there, in a destination of dataferry, and is no log')
    return openSync(path, APPENDING, 0o600)
  } catch (error) {
    throw error instanceof DataferryError ? error : refusal(messageOf(error), error)
  }
}

/** Whether lines would be added to a file of a destination, or come among its records. */
function isData(path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false })
  const real = there ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
  if (isAmongRecords(real)) return true
  return there?.isFile() === true && there.size > 0 && isInDestination(real) && !beginsAsLog(real)
}

function isInDestination(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(join(folder, RECORDS_FOLDER))) return true
    if (folder === dirname(folder)) return false
  }
}

const LOG_BEGIN = '{"level":'

function beginsAsLog(path: string): boolean {
  const file = openSync(path, constants.O_RDONLY)
  try {
    const bytes = Buffer.alloc(LOG_BEGIN.length)
    readSync(file, bytes)
    return bytes.toString('latin1') === LOG_BEGIN
  } finally {
    closeSync(file)
  }
}
