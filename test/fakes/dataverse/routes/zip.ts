import { z } from 'zod'
import { countDownload, curates, denied, latestReleased } from '../access.ts'
import { archiveReply, hashOrder, zipEntries } from '../bundle.ts'
import type { Context, Visit } from '../context.ts'
import type { DataFile } from '../datafile.ts'
import { bundleEntries } from '../form.ts'
import { demandedGuestbook, missingResponse, parseJson, requireGuestbook, storeResponse } from '../guestbook.ts'
import { limit } from '../limiter.ts'
import { notPermitted, requireDataFile, selectVersion } from '../lookup.ts'
import { zipJob } from '../zip-service.ts'
import { EMPTY, failure, internalError, Refusal, text, thrown } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { draftOf } from '../world.ts'
import type { Dataset, Version } from '../world.ts'
import { requireAccess, requireHere } from './datafile.ts'
import { metasOf } from './datasets.ts'

const idListSchema = z.object({ fileIds: z.array(z.number().int()) })

/** ZIP routes produce `application/zip` and nothing else. */
function requireZipAccepted({ call }: Visit): void {
  const accept = call.header('accept')
  if (accept !== undefined && !/\*\/\*|application\/(\*|zip)/.test(accept)) throw new Refusal(thrown(call, 406))
}

/** `GET /api/access/datafiles/{ids}`: what may not be had is left out, and only the manifest tells. */
export function getDataFiles(visit: Visit, list: string, context: Context): Promise<Reply> {
  requireZipAccepted(visit)
  const files = filesOf(list, visit, context)
  const first = files[0]
  if (first && context.features.strict) {
    requireOneDataset(files)
    requireGuestbook(visit, first, context)
  }
  return zipOf(files, visit, context)
}

/** `POST /api/access/datafiles`: three spellings of a list, all as text/plain; since 6.10 all or nothing. */
export async function postDataFiles(visit: Visit, context: Context): Promise<Reply> {
  const { call } = visit
  if (!(call.header('content-type') ?? '').toLowerCase().startsWith('text/plain'))
    throw new Refusal(thrown(call, 415, 'HTTP 415 Unsupported Media Type'))
  requireZipAccepted(visit)
  const body = (await call.body()).trim()
  if (body === '') throw new Refusal(internalError(call, 'NullPointerException'))
  const listed = idListSchema.safeParse(parseJson(body))
  const list = listed.success ? listed.data.fileIds.join(',') : body.replace(/^fileIds=/, '')
  const files = filesOf(list, visit, context)
  const first = files[0]
  if (!first) throw new Refusal(internalError(call, 'NullPointerException'))
  if (context.features.strict) {
    requireOneDataset(files)
    if (files.some((file) => denied(file, visit.user, context))) throw new Refusal(thrown(call, 403))
    const book = demandedGuestbook(first.dataset, visit.user, context)
    if (book && !body.startsWith('{')) throw new Refusal(failure(400, missingResponse(book)))
    if (book) storeResponse({ body, files, event: 'Download' }, 'datafiles', visit, context)
    else for (const file of hashOrder(files)) countDownload(file, visit)
  } else for (const file of hashOrder(files)) countDownload(file, visit)
  // Counted once by the guestbook check, and once more by the archive (note §1.4).
  return zipOf(files, visit, context)
}

/** Ids of a list. Since 6.10 an unknown one is 404 for everything; before, it is skipped in silence. */
export function filesOf(list: string, { call }: Visit, context: Context): readonly DataFile[] {
  const ids = list
    .split(',')
    .map((id) => id.trim())
    .filter(Boolean)
  return ids.flatMap((id) => {
    const file = /^\d+$/.test(id) ? context.world.file(Number(id)) : undefined
    if (!file && context.features.strict) throw new Refusal(thrown(call, 404))
    return file ?? []
  })
}

export function requireOneDataset(files: readonly DataFile[]): void {
  if (files.some(({ dataset }) => dataset !== files[0]?.dataset))
    throw new Refusal(failure(400, 'All files being downloaded must be from the same Dataset.'))
}

async function zipOf(files: readonly DataFile[], visit: Visit, context: Context, suffix = ''): Promise<Reply> {
  const { call } = visit
  const first = files[0]
  const open = files.filter((file) => !denied(file, visit.user, context))
  if (!first || (open.length === 0 && context.features.strict)) throw new Refusal(thrown(call, 403))
  if (context.settings.externalZip) {
    const location = zipJob(
      open.map(({ id }) => id),
      context,
    )
    for (const file of open) countDownload(file, visit)
    return { status: 303, headers: { Location: location }, body: EMPTY }
  }
  const ordered = context.features.strict ? hashOrder(files) : files
  const name = archiveName(first.dataset, suffix, context)
  return archiveReply(visit, name, zipEntries(ordered, visit, context), context)
}

/** `doi-10.5072-fk2-abcdef_1.0.zip`; before 6.7 always the same. */
function archiveName(dataset: Dataset, suffix: string, context: Context): string {
  if (!context.features.pidZipNames) return 'dataverse_files.zip'
  return `${dataset.pid.replaceAll(/[:/]/g, '-').toLowerCase()}${suffix}.zip`
}

/** `GET /api/access/dataset/{id}[/versions/{v}]`: the same URL is another archive for who may see the draft. */
export function getDatasetZip(
  visit: Visit,
  id: string,
  selector: string | undefined,
  context: Context,
): Promise<Reply> {
  requireZipAccepted(visit)
  const dataset = zipDataset(visit, id, context)
  const version = zipVersion(visit, dataset, selector, context)
  const files = metasOf(version).map(({ file }) => file)
  const first = files[0]
  if (!first) throw new Refusal(thrown(visit.call, 400, 'The dataset has no files.'))
  requireGuestbook(visit, first, context)
  const suffix = version.state === 'DRAFT' || selector === ':draft' ? '_draft' : `_${version.number}`
  return zipOf(files, visit, context, suffix)
}

export function zipDataset({ call }: Visit, id: string, context: Context): Dataset {
  if (id !== ':persistentId') {
    const found = /^\d+$/.test(id) ? context.world.datasets.get(Number(id)) : undefined
    if (!found) throw new Refusal(failure(404, `Dataset with ID ${id} not found.`))
    return found
  }
  const pid = call.query.get('persistentId') ?? ''
  if (pid !== '' && !/^\w+:[^/]+\/.+/.test(pid)) throw new Refusal(failure(400, `Invalid persistent identifier ${pid}`))
  const found = context.world.datasetByPid(pid, context.features.foldedDois)
  // The text misleads: this is also what a well-formed but unknown PID gets (Access:957-967).
  const told = 'When accessing a dataset based on Persistent ID, a persistentId query parameter must be present.'
  if (!found) throw new Refusal(failure(404, told))
  return found
}

export function zipVersion(visit: Visit, dataset: Dataset, selector: string | undefined, context: Context): Version {
  const permitted = curates(visit.user, dataset)
  if (selector === undefined) {
    const version = (permitted ? draftOf(dataset) : undefined) ?? latestReleased(dataset)
    if (!version) throw new Refusal(failure(400, 'Could not find requested dataset.'))
    return version
  }
  limit(visit, 'GetDatasetVersionCommand', context)
  const published = dataset.versions.some(({ state }) => state !== 'DRAFT')
  if (!published && !permitted) throw new Refusal(failure(401, notPermitted(visit.user)))
  const version = selectVersion(dataset, selector, visit.user)
  // With the right to see it, a draft that is not there is made up of the latest version.
  const found = version ?? (selector === ':draft' ? dataset.versions.at(-1) : undefined)
  if (!found || (found.state === 'DEACCESSIONED' && !permitted))
    throw new Refusal(failure(400, 'Could not find requested dataset version.'))
  return found
}

/** `GET` and `POST /api/access/datafile/bundle/{id}`: all forms of a tabular file. Here a missing answer has envelope 5. */
export async function getBundle(visit: Visit, segments: readonly string[], context: Context): Promise<Reply> {
  const { call } = visit
  const file = requireDataFile(call, segments, context)
  requireHere(call, file)
  requireAccess(visit, file, context)
  const book = demandedGuestbook(file.dataset, visit.user, context)
  if (call.method === 'POST')
    storeResponse({ body: await call.body(), files: [file], event: 'Download' }, file.label, visit, context)
  else if (book && call.query.get('gbrids') === null) throw new Refusal(thrown(call, 400, missingResponse(book)))
  else countDownload(file, visit)
  if (file.spec.store === 'missing' || context.settings.storageAway)
    throw new Refusal(internalError(call, 'InternalServerErrorException'))
  return archiveReply(visit, `${file.label.replace(/\.[^.]*$/, '')}-bundle.zip`, bundleEntries(file, context), context)
}

export function noContent(): Reply {
  return { ...text(204, 'image/png', ''), body: EMPTY }
}
