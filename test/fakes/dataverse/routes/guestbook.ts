import { denied } from '../access.ts'
import { signUrl } from '../auth.ts'
import type { Context, Visit } from '../context.ts'
import type { DataFile } from '../datafile.ts'
import { storeResponse } from '../guestbook.ts'
import { requireDataFile } from '../lookup.ts'
import { internalError, ok, Refusal, thrown, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { requireAccess, requireHere } from './datafile.ts'
import { metasOf } from './datasets.ts'
import { filesOf, requireOneDataset, zipDataset, zipVersion } from './zip.ts'

/** `POST datafile/{id}`: answers the guestbook and gets a signed URL that works for a minute (Access:584-623). */
export async function postDataFile(visit: Visit, segments: readonly string[], context: Context): Promise<Reply> {
  unless('strict', context.features, visit.call)
  const file = requireDataFile(visit.call, segments, context)
  requireHere(visit.call, file)
  requireAccess(visit, file, context)
  return signed(visit, [file], file.label, context)
}

/** `POST datafiles/{ids}`: one file that may not be had, and nothing is. */
export async function postDataFileList(visit: Visit, list: string, context: Context): Promise<Reply> {
  unless('strict', context.features, visit.call)
  const files = filesOf(list, visit, context)
  requireOneDataset(files)
  return signedForAll(visit, files, context)
}

/** `POST dataset/{id}[/versions/{v}]` */
export async function postDataset(
  visit: Visit,
  id: string,
  selector: string | undefined,
  context: Context,
): Promise<Reply> {
  unless('strict', context.features, visit.call)
  const dataset = zipDataset(visit, id, context)
  let files: readonly DataFile[]
  try {
    files = metasOf(zipVersion(visit, dataset, selector, context)).map(({ file }) => file)
  } catch (error) {
    // A null dereference of the real server (note §1.2).
    if (error instanceof Refusal && error.reply.status === 400)
      throw new Refusal(internalError(visit.call, 'NullPointerException'))
    throw error
  }
  return signedForAll(visit, files, context)
}

function signedForAll(visit: Visit, files: readonly DataFile[], context: Context): Promise<Reply> {
  if (files.some((file) => denied(file, visit.user, context))) throw new Refusal(thrown(visit.call, 403))
  return signed(visit, files, 'files', context)
}

async function signed(visit: Visit, files: readonly DataFile[], what: string, context: Context): Promise<Reply> {
  const first = files[0]
  if (!first) throw new Refusal(internalError(visit.call, 'NullPointerException'))
  const response = storeResponse({ body: await visit.call.body(), files, event: 'Download' }, what, visit, context)
  const query = new URLSearchParams(visit.call.query)
  query.delete('key')
  query.set('gbrecs', 'true')
  query.set('gbrids', String(response))
  return ok({ signedUrl: signUrl(`/api/v1/${visit.call.segments.join('/')}?${query.toString()}`, visit.user, context) })
}
