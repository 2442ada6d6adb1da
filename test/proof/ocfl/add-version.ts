import type { StorageRoot } from '../../../src/proof/ocfl/storage-root.ts'
import { writeVersion, type OcflOptions, type Written } from '../../../src/proof/ocfl/write-version.ts'
import { held, NOW } from '../held.ts'
import { ID } from '../ocfl-history.ts'

const { signal } = new AbortController()

/** A version of a dataset. */
export interface Added {
  /** `2.0` */
  readonly number: string
  readonly contents: Readonly<Record<string, string>>
  readonly metadata?: Readonly<Record<string, string>>
  readonly pid?: string
}

/** Adds a version to its object. */
export function addVersion(
  root: StorageRoot,
  { number, contents, metadata = {}, pid = ID }: Added,
  options: Partial<OcflOptions> = {},
): Promise<Written> {
  const { holding, read } = held(contents)
  const dataset = { pid, server: 'https://demo.dataverse.org', number, releasedAt: '2026-01-02T03:04:05Z' }
  const files = new Map(Object.entries(metadata).map(([file, text]) => [file, Buffer.from(text)]))
  const subject = { holding: { ...holding, dataset }, metadata: files, read, onFile: () => undefined }
  const user = { name: 'An Archive', address: 'mailto:a@example.org' }
  return writeVersion(root, subject, { algorithm: 'sha512', user, now: NOW, signal, ...options })
}
