import type { AnyForm, ByteRange } from '../../dataverse/download-options.ts'
import { DataferryError } from '../../errors.ts'
import type { Format } from '../../model/item.ts'
import type { Context } from '../command.ts'
import { readForm, readGuestbook, readRange } from '../download-flags.ts'
import { bundle, datasetZip, zip } from './archives.ts'
import type { GetRequest, Wanted } from './wanted.ts'
import { fileOf, identify, type Identified } from '../identify.ts'

/** Reads the command line. Throws `ARGUMENT_INVALID` for what does not go together. */
export async function readRequest(context: Context): Promise<GetRequest> {
  const { args, has } = context
  const wanted = readWanted(context)
  return { ...wanted, shown: args.join(' '), guestbookResponse: await readGuestbook(context), count: !has('no-count') }
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
    throw refusal(`${args.length} ids are given: --zip brings them as one ZIP, and dataferry run as single files.`)
  }
  const named = identify(first, kind, config)
  switch (named.target.kind) {
    case 'zip':
      return zip(named.target.files.map(String), { ...archive, range, config: { servers: [named.server] } })
    case 'dataset-zip':
      return datasetZip(named, first, { ...archive, range, version: text('dataset-version') })
    case 'bundle':
      return bundle(named.server, named.target.file, { form, range, fileMetadataId: text('file-metadata-id') })
    case 'dataset':
      throw refusal(`${first} names a dataset: --dataset-zip brings it as one ZIP, and dataferry run as single files.`)
    case 'file':
    case 'pid':
      return single(named, first, form, range, named.format ?? config.settings.format)
  }
}

/** Which of the flags that choose what an id stands for is there. */
function readKind({ has }: Context): 'any' | 'zip' | 'bundle' | 'dataset-zip' {
  const given = (['zip', 'bundle', 'dataset-zip'] as const).filter((flag) => has(flag))
  if (given.length < 2) return given[0] ?? 'any'
  throw refusal(`--${given.join(' and --')} do not go together: give one.`)
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

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
