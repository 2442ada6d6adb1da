import { DataferryError } from '../../errors.ts'
import type { Context } from '../command.ts'
import type { HandOnRequest } from './hand-on.ts'

/** Reads the flags that every form has. Throws `ARGUMENT_INVALID`. */
export function readHandOn({ has, text, config }: Context, what: string): HandOnRequest {
  const from = text('from')
  if (from === undefined) {
    throw invalid('Where is the data? Give --from, the folder or URL that was given to --to before.')
  }
  if (config.given.destination === undefined) throw invalid('Where is it to go? Give --to, a folder or URL.')
  const per = text('per') ?? 'dataset'
  if (per !== 'dataset' && per !== 'batch') throw invalid(`--per ${per} is neither dataset nor batch.`)
  if (has('zip') && has('tar')) throw invalid('Give --zip or --tar, not both.')
  const serialization = has('zip') ? 'zip' : has('tar') ? 'tar' : 'folder'
  if (has('link') && serialization !== 'folder') throw invalid('--link is for folders, not for --zip and --tar.')
  return { what, from, per, serialization, link: has('link'), offline: has('offline') }
}

function invalid(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
