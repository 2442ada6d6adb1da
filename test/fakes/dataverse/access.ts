import type { Context, User, Visit } from './context.ts'
import type { DataFile } from './datafile.ts'
import { releasedVersions } from './world.ts'
import type { Dataset, Version } from './world.ts'

/** Why a file is withheld, in the words of MANIFEST.TXT. */
export type Denial = 'EMBARGOED' | 'RETENTIONEXPIRED' | 'RESTRICTED' | 'NOTAUTHORIZED'

export function curates(user: User | undefined, dataset: Dataset): boolean {
  return user !== undefined && (user.superuser || user.curates === 'all' || user.curates.has(dataset.pid))
}

/** The day by the clock of the installation. */
export function today(context: Context): string {
  return new Date(context.clock()).toISOString().slice(0, 10)
}

export function embargoed(file: DataFile, context: Context): boolean {
  return file.spec.embargo !== undefined && today(context) < file.spec.embargo.dateAvailable
}

export function retentionExpired(file: DataFile, context: Context): boolean {
  return file.spec.retention !== undefined && today(context) > file.spec.retention.dateUnavailable
}

/** The download gate (Access:2301-2417). @returns undefined when the file may be had. */
export function denied(file: DataFile, user: User | undefined, context: Context): Denial | undefined {
  if (allowed(file, user, context)) return undefined
  if (embargoed(file, context)) return 'EMBARGOED'
  if (retentionExpired(file, context)) return 'RETENTIONEXPIRED'
  return file.spec.restricted && file.released ? 'RESTRICTED' : 'NOTAUTHORIZED'
}

function allowed(file: DataFile, user: User | undefined, context: Context): boolean {
  if (retentionExpired(file, context)) return false
  if (!file.released) return curates(user, file.dataset)
  if (!file.spec.restricted && !embargoed(file, context)) return true
  return curates(user, file.dataset) || user?.grants.has(file.id) === true
}

/** Whether somebody made this user one who may download the file: what the search says, of public files, too (note §1.1). */
export function hasRole(file: DataFile, user: User | undefined): boolean {
  return curates(user, file.dataset) || user?.grants.has(file.id) === true
}

/** Records a download: of a released file, unless the caller says that it is none. */
export function countDownload(file: DataFile, { call, count }: Visit): void {
  if (file.released && call.query.get('gbrecs') !== 'true') count(file.id)
}

/** Whether a version is in force as the current released one. */
export function latestReleased(dataset: Dataset): Version | undefined {
  return releasedVersions(dataset).at(-1)
}

export function versionHolds(version: Version | undefined, file: DataFile): boolean {
  if (!version) return false
  for (let index = 0; index < version.files.length; index += 1)
    if (version.files.at(index).file.id === file.id) return true
  return false
}
