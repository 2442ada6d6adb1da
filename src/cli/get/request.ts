import type { DataAccessApi } from '../../dataverse/data-access-api.ts'
import type { AnyForm, ByteRange, TransferOptions } from '../../dataverse/download-options.ts'
import type { Download } from '../../dataverse/download.ts'
import { DataferryError } from '../../errors.ts'
import type { Respond } from '../../model/guestbook.ts'
import type { Format, Ref } from '../../model/item.ts'
import type { Context } from '../command.ts'
import { responder } from '../answers.ts'
import { readForm, readRange } from '../download-flags.ts'
import { datasetOf, fileOf, identify, type Identified } from '../identify.ts'

/** A way to ask for bytes. The caller closes the download. */
type Ask = (api: DataAccessApi, options: AskOptions) => Promise<Download>

/** How to ask; the range is that of a file that is resumed. */
interface AskOptions extends TransferOptions {
  readonly range?: ByteRange
}

/** What is asked for, and from which server. */
export interface Wanted {
  /** Base URL. */
  readonly server: string
  /** For the engine. Which form of a file is meant exactly, only `ask` knows. */
  readonly ref: Ref
  /** The bytes are those of a stored file: its listing describes them, and they can be resumed. */
  readonly whole: boolean
  readonly ask: Ask
}

/** What one `dataferry get` asks for. */
export interface GetRequest extends Wanted {
  /** As it was typed, for messages. */
  readonly shown: string
  readonly guestbookResponse: Respond | undefined
  /** False keeps it out of the server's statistics. */
  readonly count: boolean
}

/** Reads the command line. Throws `ARGUMENT_INVALID` for flags that cannot be combined. */
export function readRequest(context: Context): GetRequest {
  const { args, has, config } = context
  const wanted = readWanted(context)
  const guestbookResponse = responder(config, wanted.server)
  return { ...wanted, shown: args.join(' '), guestbookResponse, count: !has('no-count') }
}

function readWanted(context: Context): Wanted {
  const { args, config, text } = context
  const kind = readKind(context)
  const [first = ''] = args
  const form = readForm(context)
  const range = readRange(text('range'))
  const archive = { form, fallback: config.settings.format }
  if (kind === 'zip') return zip(args, { ...archive, range, config })
  if (args.length > 1) {
    throw refusal(`${args.length} ids are given: --zip fetches them as one ZIP, and dataferry run as individual files.`)
  }
  const named = identify(first, kind, config)
  switch (named.target.kind) {
    case 'zip':
      return zip(named.target.files.map(String), { ...archive, range, config: { servers: [named.server] } })
    case 'dataset-zip':
      return datasetZip(named, first, { ...archive, range, version: text('dataset-version') })
    case 'bundle':
      return allForms(named.server, named.target.file, { form, range, fileMetadataId: text('file-metadata-id') })
    case 'dataset':
      throw refusal(
        `${first} names a dataset: --dataset-zip fetches it as one ZIP, and dataferry run as individual files.`,
      )
    case 'collection':
      throw refusal(`${first} names a collection: dataferry run --collection fetches the files of all its datasets.`)
    case 'file':
    case 'pid':
      return single(named, first, form, range, named.format ?? config.settings.format)
  }
}

/** Which of the flags that choose what an id stands for is there. */
function readKind({ has }: Context): 'any' | 'zip' | 'bundle' | 'dataset-zip' {
  const given = (['zip', 'bundle', 'dataset-zip'] as const).filter((flag) => has(flag))
  if (given.length < 2) return given[0] ?? 'any'
  throw refusal(`--${given.join(' and --')} cannot be combined: give one.`)
}

function single(
  named: Identified,
  shown: string,
  form: AnyForm | undefined,
  range: ByteRange | undefined,
  fallback: Format,
): Wanted {
  const file = fileOf(named, shown)
  const wanted: AnyForm = form ?? (fallback === 'original' ? { format: 'original' } : {})
  return {
    server: named.server,
    ref: { kind: 'file', file, format: wanted.format === 'original' ? 'original' : 'archival' },
    whole: range === undefined && (form === undefined || form.format === 'original'),
    ask: (api, options) => api.streamDatafile(file, { ...options, ...wanted, range: options.range ?? range }),
  }
}

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
function zip(
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
    throw refusal(`The server makes ZIPs from database ids only, and ${file} is a PID.`)
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
function datasetZip(
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
function allForms(
  server: string,
  file: number | string,
  { form, range, fileMetadataId }: Typed & { readonly fileMetadataId: string | undefined },
): Wanted {
  if (form) throw refusal('A bundle holds every form of the file: remove the flag for one form.')
  refuseRange(range)
  if (fileMetadataId !== undefined && !/^\d+$/.test(fileMetadataId)) {
    throw refusal(`--file-metadata-id: expected a number, not ${fileMetadataId}.`)
  }
  const version = fileMetadataId === undefined ? undefined : Number(fileMetadataId)
  return {
    server,
    ref: { kind: 'all-forms', file },
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
  if (range) throw refusal('The server makes a new ZIP for each request, so --range does not apply to it.')
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
