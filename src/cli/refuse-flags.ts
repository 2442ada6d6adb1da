import { DataferryError } from '../errors.ts'
import type { Context } from './command.ts'

/** Throws `ARGUMENT_INVALID` for the first of these flags that was given: they mean nothing for what was asked for. */
export function refuseFlags({ has, text, texts }: Context, form: string, flags: readonly string[]): void {
  const given = flags.find((flag) => has(flag) || text(flag) !== undefined || texts(flag).length > 0)
  if (given !== undefined) throw new DataferryError('ARGUMENT_INVALID', `--${given} means nothing for ${form}.`)
}
