import { visibleJson } from './model/visible-text.ts'
import { pino, type Logger as PinoLogger } from 'pino'

export type Logger = PinoLogger

/** Keys whose values never reach a log line, wherever they occur. */
const SECRET_KEYS = ['apiToken', 'token', 'bearerToken', 'authorization', 'password', 'key', 'secretAccessKey']
const REDACTED = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`, `headers["x-dataverse-key"]`])

/** A logger that writes JSON lines, to standard error unless told otherwise. */
export function createLogger(
  level: 'silent' | 'error' | 'warn' | 'info' | 'debug',
  sheet: { write(line: string): unknown } = pino.destination(2),
): Logger {
  return pino(
    { name: 'dataferry', level, redact: { paths: [...new Set(REDACTED)], censor: '[hidden]' } },
    { write: (line) => sheet.write(visibleLogLine(line)) },
  )
}

/** JSON escapes only C0; a terminal that shows a log must be safe from the rest, too. */
function visibleLogLine(line: string): string {
  return `${visibleJson(line.trimEnd())}\n`
}
