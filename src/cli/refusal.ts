import { DataferryError, ERROR_CODES } from '../errors.ts'
import type { Context, ExitCode } from './command.ts'
import { reportError } from './failure.ts'

/**
 * For commands about one thing: a final refusal by the server, or a file in the way, is a failure of
 * that thing (exit code 1) and not of the machinery. Reports it; rethrows everything else.
 */
export function refusedOrThrow(error: unknown, { out, has }: Pick<Context, 'out' | 'has'>): ExitCode {
  if (!(error instanceof DataferryError)) throw error
  const { group, remedy } = ERROR_CODES[error.code]
  const ofThisThing = remedy === 'fail' ? group === 'source' : error.code === 'SOURCE_BYTES_MISSING'
  if (!ofThisThing && error.code !== 'SINK_EXISTS') throw error
  reportError(error, out, has('verbose'))
  return 1
}
