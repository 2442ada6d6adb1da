import { DataferryError, isAbort, messageOf } from '../errors.ts'

/** The archive is cut off or corrupt: another copy may be sound. */
export function damaged(message: string, cause?: unknown): DataferryError {
  return new DataferryError('ZIP_DAMAGED', message, { cause })
}

export function isDamage(error: unknown): boolean {
  return error instanceof DataferryError && error.code === 'ZIP_DAMAGED'
}

/** The archive breaks a safety limit: another copy would too. */
export function hostile(message: string): DataferryError {
  return new DataferryError('ZIP_HOSTILE', message)
}

/** What a ZIP or zlib routine threw: our own errors and aborts are kept, anything else is damage. */
export function asDamage(error: unknown, where: string): unknown {
  if (error instanceof DataferryError || isAbort(error)) return error
  return damaged(`${where}: ${messageOf(error)}.`, error)
}
