import { DataferryError, type ErrorCode } from '../errors.ts'

export function isErrorOf(error: unknown, ...codes: readonly ErrorCode[]): error is DataferryError {
  return error instanceof DataferryError && codes.includes(error.code)
}
