import { joinedPid } from '../model/dataset-pid.ts'
import type { ListedVersion } from '../model/listing.ts'
import { integerOf, member, textOf } from './json-object.ts'
import { readPid, readVersion } from './pid.ts'

/** The PID of a dataset as the server describes one: whole, or in pieces as in exports of old servers. */
export function datasetPid(dataset: unknown): string | undefined {
  const whole = textOf(dataset, 'datasetPersistentId')
  if (whole !== undefined) return readPid(whole)?.pid
  const [protocol, authority, identifier] = ['protocol', 'authority', 'identifier'].map((name) => textOf(dataset, name))
  if (protocol === undefined || authority === undefined || identifier === undefined) return undefined
  const separator = member(dataset, 'separator')
  const pieces = { protocol, authority, identifier, persistentUrl: textOf(dataset, 'persistentUrl') }
  return readPid(joinedPid({ ...pieces, separator: typeof separator === 'string' ? separator : undefined }))?.pid
}

/** The version that a dataset version of the server says it is: `2.1` or `:draft`. */
export function versionSelector(version: unknown): string | undefined {
  if (member(version, 'versionState') === 'DRAFT') return ':draft'
  const number = integerOf(version, 'versionNumber')
  return number === undefined ? undefined : readVersion(`${number}.${integerOf(version, 'versionMinorNumber') ?? 0}`)
}

/**
 * The dataset version that a version, a dataset, an export or a file speaks of, with or without envelope; undefined when it
 * does not say which dataset and which version.
 */
export function describedVersion(value: unknown): ListedVersion | undefined {
  for (const inner of [value, member(value, 'data')]) {
    for (const candidate of [inner, ...['latestVersion', 'datasetVersion'].map((name) => member(inner, name))]) {
      const version = versionSelector(candidate)
      const dataset = datasetPid(candidate) ?? datasetPid(inner)
      if (version !== undefined && dataset !== undefined) return { dataset, version }
    }
  }
  return undefined
}
