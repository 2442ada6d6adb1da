import { DataferryError, ERROR_CODES, isAbort, messageOf } from '../errors.ts'
import type { ExitCode } from './command.ts'
import type { Output } from './terminal/output.ts'

/** The exit code for an error that ended a command. What happens to individual items is not decided here. */
export function exitCodeOf(error: unknown): ExitCode {
  if (isAbort(error)) return stopCode(error)
  if (!(error instanceof DataferryError)) return 1
  switch (ERROR_CODES[error.code].group) {
    case 'input':
      return 2
    case 'bytes':
      return 1
    case 'source':
    case 'sink':
    case 'system':
      return 3
  }
}

/** The exit code of a command that was stopped. @param reason of its signal */
export function stopCode(reason: unknown): 10 | 130 {
  return isLimit(reason) ? 10 : 130
}

/** The exit code of a command that runs until it is stopped. */
export function endCode({ signal }: { readonly signal: AbortSignal }): ExitCode {
  return isLimit(signal.reason) ? 10 : 0
}

/** Whether a command stops, or stopped, by a limit and not because somebody wanted it to. */
export function isLimit(reason: unknown): boolean {
  return reason instanceof DataferryError && reason.code === 'LIMIT_REACHED'
}

/**
 * Whether an error is only that a command stops as it was asked to: what Redis does not take any more then is brought in order at the
 * next start.
 */
export function isStop(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false
  return isAbort(error) || (error instanceof DataferryError && ERROR_CODES[error.code].group === 'system')
}

/** Says in one sentence what happened and in the next one what to do; with `verbose` also where it came from. */
export function reportError(error: unknown, out: Output, verbose: boolean): void {
  const code = error instanceof DataferryError ? error.code : 'UNEXPECTED'
  const message = error instanceof DataferryError ? error.message : `something unexpected happened: ${messageOf(error)}`
  const advice = adviceFor(error)
  const command = error instanceof DataferryError ? error.command : undefined
  out.record({ event: 'error', code, message, advice, ...(command !== undefined && { command }) })
  out.error(message, advice, command)
  if (verbose) for (const stack of stacks(error)) out.error(stack)
}

/** A usage error says itself what to do. */
function adviceFor(error: unknown): string | undefined {
  if (!(error instanceof DataferryError)) return UNEXPECTED_ADVICE
  return error.advice === ERROR_CODES.ARGUMENT_INVALID.advice ? undefined : error.advice
}

const UNEXPECTED_ADVICE =
  'This is a bug in dataferry. Run the same command again, with -v to see where; what was fetched is kept.'

/** Stacks of an error and of what caused it. Only stacks: other properties may hold requests with their headers. */
function stacks(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  return [error.stack ?? error.message, ...stacks(error.cause)]
}
