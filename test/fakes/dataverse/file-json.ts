import { publishedChecksum } from './datafile.ts'
import type { DataFile, Tabular } from './datafile.ts'
import type { Dataset, FileMeta, Version } from './world.ts'

/** One element of a file listing (Printer:996-1131). Members without a value are left out. */
export async function fileElement(meta: FileMeta, version: Version): Promise<Record<string, unknown>> {
  const { file, label } = meta
  const { spec } = file
  const directoryLabel = meta.directory === '' ? undefined : meta.directory
  return {
    description: spec.description,
    label,
    restricted: meta.restricted,
    directoryLabel,
    version: 1,
    datasetVersionId: version.id,
    categories: spec.categories,
    dataFile: {
      id: file.id,
      persistentId: spec.pid ?? '',
      pidURL: spec.pid?.replace(/^doi:/, 'https://doi.org/'),
      filename: label,
      contentType: file.contentType,
      friendlyType: file.tabular ? 'Tab-Delimited' : 'Unknown',
      filesize: spec.statedSize ?? file.stored.size,
      description: spec.description,
      categories: spec.categories,
      embargo: spec.embargo,
      retention: spec.retention,
      storageIdentifier: storageIdentifier(file),
      ...(file.tabular && tabularMembers(file, file.tabular)),
      rootDataFileId: spec.replaces ?? -1,
      ...(spec.replaces !== undefined && { previousDataFileId: spec.replaces }),
      ...(await checksumMembers(file)),
      tabularData: file.tabular !== undefined,
      creationDate: '2025-02-03',
      publicationDate: file.released ? '2025-02-10' : undefined,
      directoryLabel,
      lastUpdateTime: '2025-02-10T09:00:00Z',
      fileAccessRequest: file.dataset.fileAccessRequest,
    },
  }
}

function storageIdentifier(file: DataFile): string {
  return file.spec.store === 's3-redirect' ? `s3://bucket:18f0a1b2c3d-${file.id}` : `local://18f0a1b2c3d-${file.id}`
}

function tabularMembers(file: DataFile, table: Tabular): Record<string, unknown> {
  const stated = file.spec.tabular?.statedOriginalSize
  return {
    originalFileFormat: table.originalContentType,
    originalFormatLabel: 'Comma Separated Values',
    originalFileSize: stated === null ? undefined : (stated ?? table.original.size),
    originalFileName: table.originalName,
    UNF: 'UNF:6:AAAAAAAAAAAAAAAAAAAAAA==',
  }
}

/** `md5` stands there only when that is the type (Printer:1099-1103). */
async function checksumMembers(file: DataFile): Promise<Record<string, unknown>> {
  const checksum = await publishedChecksum(file)
  if (!checksum) return {}
  return checksum.type === 'MD5' ? { md5: checksum.value, checksum } : { checksum }
}

/** Version members without files (Printer:658-722). */
export function versionElement(
  version: Version,
  dataset: Pick<Dataset, 'id' | 'pid' | 'fileAccessRequest' | 'terms'> & { guestbook: { id: number } | undefined },
): Record<string, unknown> {
  const [major, minor] = version.number.split('.').map(Number)
  const numbered = version.state === 'DRAFT' ? {} : { versionNumber: major, versionMinorNumber: minor }
  return {
    id: version.id,
    datasetId: dataset.id,
    datasetPersistentId: dataset.pid,
    storageIdentifier: `local://${dataset.pid.replace(/^\w+:/, '')}`,
    ...numbered,
    versionState: version.state,
    deaccessionNote: version.deaccession?.note,
    deaccessionLink: version.deaccession?.link,
    lastUpdateTime: version.lastUpdateTime,
    ...(version.state !== 'DRAFT' && { releaseTime: version.releaseTime }),
    internalVersionNumber: version.counter,
    fileAccessRequest: dataset.fileAccessRequest,
    guestbookId: dataset.guestbook?.id,
    ...(dataset.terms ?? { license: { name: 'CC0 1.0', uri: 'http://creativecommons.org/publicdomain/zero/1.0' } }),
  }
}
