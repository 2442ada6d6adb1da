import { DataferryError } from '../errors.ts'

/** The folder beside the data that holds stages, marks and records. */
export const RECORDS_FOLDER = '.dataferry'

/** Names directly below `.dataferry/` that a sink reserves for itself: no batch may have them. */
export const RESERVED_FOLDERS: readonly string[] = ['parts', 'marks']

/** Whether an absolute path leads to the records of a destination: nothing that users name goes there. */
export function isAmongRecords(path: string): boolean {
  return path.split(/[\\/]/).some((segment) => segment.toLowerCase() === RECORDS_FOLDER)
}

/**
 * Checks a path of an item: relative, `/` between segments, without empty segments, `.` and `..`, and not in `.dataferry`.
 * The planner makes paths safe; this protects a sink from any other caller. Throws `ARGUMENT_INVALID`.
 */
export function checkPath(path: string): void {
  const first = checkSegments(path, 'path').at(0)
  // Case-insensitive, because many file systems are.
  if (first?.toLowerCase() === RECORDS_FOLDER) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `The path ${quote(path)} is in ${RECORDS_FOLDER}, which is not for data.`,
    )
  }
}

/**
 * What a mirror keeps aside: `.dataferry/mirrors/<name>/superseded/…` and `…/moving/…`; and damaged files that were repaired:
 * `.dataferry/repair/<run>/aside/…`.
 */
const ASIDE =
  /^\.dataferry\/(?:mirrors\/[a-z0-9][a-z0-9._-]{0,63}\/(?:superseded|moving)|repair\/[0-9TZ.-]{1,40}\/aside)\/./

/** As `checkPath`, for places of committed files that are kept aside as well. Throws `ARGUMENT_INVALID`. */
export function checkPlace(place: string): void {
  if (ASIDE.test(place)) checkSegments(place, 'path')
  else checkPath(place)
}

/** Whether a path of a destination is that of a record, which no stage, look or link is for. */
export function isRecord(path: string): boolean {
  return path.startsWith(`${RECORDS_FOLDER}/`) && !ASIDE.test(path)
}

/** Whether a list of files leaves a path out: what is aside shows only where it is asked for (`below`). */
export function isHidden(path: string, below = ''): boolean {
  return path.startsWith(`${RECORDS_FOLDER}/`) && !below.startsWith(`${RECORDS_FOLDER}/`)
}

/** Checks the name of a record or of a folder of records, relative to `.dataferry/`. Throws `ARGUMENT_INVALID`. */
export function checkRecordName(name: string): void {
  const first = checkSegments(name, 'record name').at(0)
  if (first !== undefined && RESERVED_FOLDERS.includes(first.toLowerCase())) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `The record name ${quote(name)} begins with a folder reserved for the sink.`,
    )
  }
}

/** Checks the key of a stage: 1–200 letters, digits, `.`, `_` and `-`, not beginning with `.`. Throws `ARGUMENT_INVALID`. */
export function checkKey(key: string): void {
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/.test(key)) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `The key ${quote(key)} must be 1–200 letters, digits, '.', '_' and '-'.`,
    )
  }
}

function checkSegments(name: string, what: string): string[] {
  const segments = name.split('/')
  const bad = segments.some((segment) => segment === '' || segment === '.' || segment === '..')
  if (bad || name.includes('\0')) {
    throw new DataferryError('ARGUMENT_INVALID', `The ${what} ${quote(name)} is not a plain relative path.`)
  }
  return segments
}

function quote(name: string): string {
  return JSON.stringify(name)
}
