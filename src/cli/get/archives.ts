import type { AnyForm, ByteRange } from '../../dataverse/download-options.ts'
import { DataferryError } from '../../errors.ts'
import type { Format } from '../../model/item.ts'
import type { Wanted } from './wanted.ts'
import { datasetOf, fileOf, identify, type Identified } from '../identify.ts'

/** What was typed beside the ids. */
interface Typed {
  readonly form: AnyForm | undefined
  readonly range: ByteRange | undefined
}
interface TypedZip extends Typed {
  /** Form of tabular files when no flag names one. */
  readonly fallback: Format
}

/** Several files of one dataset as one ZIP. Throws `ARGUMENT_INVALID`. */
export function zip(
  ids: readonly string[],
  { config, ...typed }: TypedZip & { readonly config: Parameters<typeof identify>[2] },
): Wanted {
  const format = zipFormat(typed)
  const named = ids.map((id) => {
    const one = identify(id, 'any', config)
    return { server: one.server, file: fileOf(one, id) }
  })
  const files = named.map(({ file }) => {
    if (typeof file === 'number') return file
    throw refusal(`The server makes ZIPs of database ids only, and ${file} is a PID.`)
  })
  const server = named[0]?.server ?? ''
  if (named.some((one) => one.server !== server)) throw refusal('The files of a ZIP must be on one server.')
  return {
    server,
    ref: { kind: 'zip', files, format: format ?? 'archival' },
    whole: false,
    ask: (api, options) => api.streamDatafiles(files, { ...options, format }),
  }
}

/** A dataset version as one ZIP. Throws `ARGUMENT_INVALID`. */
export function datasetZip(
  named: Identified,
  shown: string,
  { version: given, ...typed }: TypedZip & { readonly version: string | undefined },
): Wanted {
  const format = zipFormat(typed)
  const dataset = datasetOf(named, shown)
  const version = given ?? ('version' in named.target ? named.target.version : undefined)
  return {
    server: named.server,
    ref: {
      kind: 'dataset-zip',
      dataset: String(dataset),
      version: version ?? ':latest',
      format: format ?? 'archival',
    },
    whole: false,
    ask: (api, options) => api.streamDataset(dataset, { ...options, format, version }),
  }
}

/** All forms of a tabular file as one ZIP. Throws `ARGUMENT_INVALID`. */
export function bundle(
  server: string,
  file: number | string,
  { form, range, fileMetadataId }: Typed & { readonly fileMetadataId: string | undefined },
): Wanted {
  if (form) throw refusal('A bundle holds every form of the file: take the flag for one form out.')
  refuseRange(range)
  if (fileMetadataId !== undefined && !/^\d+$/.test(fileMetadataId)) {
    throw refusal(`--file-metadata-id: expected a number, not ${fileMetadataId}.`)
  }
  const version = fileMetadataId === undefined ? undefined : Number(fileMetadataId)
  return {
    server,
    ref: { kind: 'bundle', file },
    whole: false,
    ask: (api, options) => api.streamDatafilesBundle(file, { ...options, fileMetadataId: version }),
  }
}

function zipFormat({ form, range, fallback }: TypedZip): 'original' | undefined {
  refuseRange(range)
  if (!form) return fallback === 'original' ? 'original' : undefined
  if (form.format === 'original') return 'original'
  if (form.format === 'tab' || form.format === 'tabular') return undefined
  throw refusal('A ZIP holds tabular files as original or tab: give one of these as --format.')
}

function refuseRange(range: ByteRange | undefined): void {
  if (range) throw refusal('A ZIP is made anew for each request, so no --range of it can be had.')
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
