import { parse } from 'node:path'
import type { Entry } from '../model/entry.ts'
import type { ListedFile, ListedVersion } from '../model/listing.ts'
import { datasetFolder, formatOf, conditionsOf, wantedAs, type Context, type Draft } from './file-item.ts'
import type { Located } from './listing-cache.ts'

/** What the server knows about the files of a ZIP. */
interface ZipFiles {
  readonly first: Located
  /** `first` and the others. */
  readonly found: readonly Located[]
  readonly unknown: readonly number[]
}

/** A ZIP of files by their ids. */
export function zipItem(ids: readonly number[], { first, found, unknown }: ZipFiles, context: Context): Draft {
  const { dataset, version } = first.version
  const files = found.map(({ file }) => file)
  return {
    ...archive(context, `files-${ids[0] ?? 0}-and-${ids.length - 1}-more.zip`),
    ref: { kind: 'zip', files: files.map(({ id }) => id), format: formatOf(context) },
    origin: found.every((one) => one.version.dataset === dataset) ? { dataset, version } : {},
    ...conditionsOf(first.version),
    asked: { files, unknown: [...unknown] },
  }
}

/** A whole dataset version in one ZIP. */
export function versionZipItem(files: readonly ListedFile[], version: ListedVersion, context: Context): Draft {
  const origin = { dataset: version.dataset, version: version.version }
  return {
    ...archive(context, `${datasetFolder(version.dataset)}_${version.version.replace(':', '')}.zip`),
    ref: { kind: 'dataset-zip', ...origin, format: formatOf(context) },
    origin,
    ...conditionsOf(version),
    asked: { files: [...files], unknown: [] },
  }
}

/** All forms of a table in one ZIP. */
export function allFormsItem(file: ListedFile, version: ListedVersion, context: Context): Draft {
  const name = `${parse(file.label).name}-bundle.zip`
  const folder = [datasetFolder(version.dataset), file.directory].filter((part) => part !== '').join('/')
  return {
    ...archive(context, name, folder),
    ref: { kind: 'all-forms', file: file.id },
    origin: { dataset: version.dataset, version: version.version },
    ...conditionsOf(version),
    // A listing describes only the original among its parts.
    asked: { files: file.tabular ? [file] : [], unknown: [] },
  }
}

type Archive = Pick<Draft, 'server' | 'line' | 'wanted' | 'expect' | 'contentType'>

function archive({ entry, server, line }: Context, name: string, folder = ''): Archive {
  const wanted = wantedIn(entry, folder, name)
  return { server, line, wanted, expect: {}, contentType: 'application/zip' }
}

function wantedIn({ path }: Entry, directory: string, name: string): Draft['wanted'] {
  return path === undefined ? { directory, name } : wantedAs(path, name)
}
