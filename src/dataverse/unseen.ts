import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonCalls } from './json-call.ts'
import { datasetRoute, encodePath, type Query } from './route.ts'

const text = z.string().nullish()
/** Before 6.6 reason and forwarding address have other names. */
const versionSchema = z
  .looseObject({
    versionState: text,
    deaccessionNote: text,
    deaccessionLink: text,
    versionNote: text,
    archiveNote: text,
  })
  .transform(({ versionState, ...notes }) => ({
    isDeaccessioned: versionState === 'DEACCESSIONED',
    reason: notes.deaccessionNote ?? notes.versionNote,
    link: notes.deaccessionLink ?? notes.archiveNote,
  }))
export type Deaccession = Partial<Pick<z.infer<typeof versionSchema>, 'reason' | 'link'>>
const datasetSchema = z.looseObject({ latestVersion: z.unknown().optional() })

/**
 * Why a dataset version is not shown, as far as the server tells this user: deaccessioned, not published, or
 * simply not there. Even guests see a deaccessioned version with `includeDeaccessioned` and `excludeFiles` together.
 * @param error the server's error for the version
 * @returns the error to throw
 * @see the protocol note §6.1 and §12
 */
export async function whyUnseen(
  calls: JsonCalls,
  dataset: number | string,
  selector: string,
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  // If the server does not know the dataset, or denies access, it is not asked further.
  const open = error instanceof DataferryError && error.code === 'SOURCE_NOT_FOUND' && !UNKNOWN.test(error.message)
  if (!open) return error
  const version = await deaccessioned(calls, dataset, selector, signal)
  if (version) return deaccession(`Version ${selector} of dataset ${dataset}`, version, error)
  const published = await isPublished(calls, dataset, signal)
  if (published === 'nothing left') return deaccession(`Dataset ${dataset}`, {}, error)
  return published === 'no' ? unpublished(`Dataset ${dataset}`, error) : error
}

/**
 * What the server knows about a file, or why it does not show it. A file that is only in a deaccessioned version is shown
 * only to those who may edit its dataset.
 * @param get requests the file's description, with an extended query
 */
export async function shownFile<T>(file: number | string, get: (...more: Query) => Promise<T>): Promise<T> {
  try {
    return await get()
  } catch (error) {
    if (!(error instanceof DataferryError)) throw error
    if (error.code === 'SOURCE_DENIED' && error.status === 401) throw unpublished(`File ${file}`, error)
    if (error.code !== 'SOURCE_NOT_FOUND' || !IN_NO_VERSION.test(error.message)) throw error
    return await get(['includeDeaccessioned', 'true']).catch(() => {
      throw deaccession(`Every published version with file ${file}`, {}, error)
    })
  }
}

/** Longest reason and URL shown, in characters. */
const LONGEST_REASON = 300
const IN_NO_VERSION = /file metadata for file with id .{1,300} not found/i
const UNKNOWN = /dataset with (?:persistent )?id .{1,300} not found/i

/** What was said when a version was withdrawn; undefined when it was not. Guests are told, too. */
export async function deaccessioned(
  calls: JsonCalls,
  dataset: number | string,
  selector: string,
  signal: AbortSignal,
): Promise<Deaccession | undefined> {
  const route = datasetRoute(dataset, `/versions/${encodePath(selector)}`)
  const query: Query = [
    ['includeDeaccessioned', 'true'],
    ['excludeFiles', 'true'],
  ]
  const version = await calls.find({ route, query, signal }, versionSchema, () => true)
  return version?.isDeaccessioned ? version : undefined
}

/** A dataset may exist without a version to show. */
async function isPublished(
  calls: JsonCalls,
  dataset: number | string,
  signal: AbortSignal,
): Promise<'yes' | 'no' | 'nothing left' | 'unknown'> {
  try {
    const found = await calls.find({ route: datasetRoute(dataset), signal }, datasetSchema, () => true)
    if (!found) return 'unknown'
    return found.latestVersion === undefined ? 'nothing left' : 'yes'
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'SOURCE_DENIED') return 'no'
    throw error
  }
}

/** It was withdrawn, perhaps with a reason and a forwarding URL. */
function deaccession(what: string, { reason, link }: Deaccession, cause: DataferryError): DataferryError {
  const said = [reason?.slice(0, LONGEST_REASON), link && `See ${link.slice(0, LONGEST_REASON)}`].filter(Boolean)
  const message = `${what} was deaccessioned${said.length === 0 ? '.' : `: ${said.join(' ')}`}`
  return new DataferryError('SOURCE_DEACCESSIONED', message, { cause })
}

/** It exists, for others. */
function unpublished(what: string, cause: DataferryError): DataferryError {
  const message = `${what} is not published, and this user may not see its draft.`
  return new DataferryError('SOURCE_DENIED', message, { cause, ...(cause.status && { status: cause.status }) })
}
