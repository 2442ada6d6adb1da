import { pino, type Logger as PinoLogger } from 'pino'

export type Logger = PinoLogger

/** Keys whose values never reach a log line, wherever they stand. */
const SECRET_KEYS = ['apiToken', 'token', 'bearerToken', 'authorization', 'password', 'key', 'secretAccessKey']
const REDACTED = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`, `headers["x-dataverse-key"]`])

/** A logger that writes JSON lines to standard error. `silent` unless asked: people get sentences from the CLI. */
export function createLogger(level: 'silent' | 'error' | 'warn' | 'info' | 'debug'): Logger {
  return pino(
    { name: 'dataferry', level, redact: { paths: [...new Set(REDACTED)], censor: '[hidden]' } },
    pino.destination(2),
  )
}
