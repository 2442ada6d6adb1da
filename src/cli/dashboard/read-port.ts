import { DataferryError } from '../../errors.ts'

/** Reads the value of a flag. Throws `ARGUMENT_INVALID`. */
export function readPort(flag: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (port <= 65_535) return port
  throw new DataferryError('ARGUMENT_INVALID', `--${flag} must be a whole number from 0 to 65535, not ${text}.`)
}
