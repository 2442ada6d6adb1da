import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { GuestbookResponse, Respond } from '../model/guestbook.ts'
import { isGuarded, type Guestbooks } from './guestbooks.ts'
import type { Identifier } from './identifier.ts'
import type { JsonCalls } from './json-call.ts'
import { accessRequestsRoute, encodePath, fileRoute, type Query } from './route.ts'

/** The server's message about an action. */
export interface Message {
  readonly message: string
}

const text = z.string().nullish()
/** A user who requested access. The server leaves out what it does not know, and newer ones send more. */
const accessRequestSchema = z.looseObject({
  /** `@name` */
  identifier: z.string(),
  id: z.number().nullish(),
  displayName: text,
  firstName: text,
  lastName: text,
  email: text,
  affiliation: text,
  position: text,
  superuser: z.boolean().nullish(),
  deactivated: z.boolean().nullish(),
  createdTime: text,
  lastLoginTime: text,
  lastApiUseTime: text,
  authenticationProviderId: text,
  /** `created`, `granted` or `rejected`; absent on older servers, which list open requests only. */
  requestState: text,
})
/**
 * One entry of the list of requests.
 */
export interface AccessRequest extends z.infer<typeof accessRequestSchema> {
  /** Newer servers send more. */
  readonly [more: string]: unknown
}

const permissionsSchema = z.looseObject({
  canDownloadFile: z.boolean(),
  canManageFilePermissions: z.boolean().nullish(),
  canEditOwnerDataset: z.boolean().nullish(),
})
/**
 * What the server says the caller may do. Not decisive for a download: it ignores embargoes, retention, older
 * versions and IP groups. @see the protocol note §1.7
 */
export interface UserPermissions extends z.infer<typeof permissionsSchema> {
  /** Newer servers send more. */
  readonly [more: string]: unknown
}

/** Options for the list of requests. */
export interface ListRequestsOptions {
  /** Also granted and rejected requests (6.11). */
  readonly includeHistory?: boolean | undefined
  readonly perPage?: number | undefined
  /** Page, from 1. */
  readonly start?: number | undefined
  readonly signal?: AbortSignal | undefined
}

type Signal = AbortSignal | undefined

/**
 * Requests access to a file. Answers that are given are sent along; a function is asked for them only where the dataset wants its
 * guestbook answered with the request. Rejects with `SOURCE_GUESTBOOK` where there are none.
 */
export async function requestAccess(
  calls: JsonCalls,
  guestbooks: Guestbooks,
  file: Identifier,
  answers: GuestbookResponse | Respond | undefined,
  signal: Signal,
): Promise<Message> {
  try {
    return await putRequest(calls, file, typeof answers === 'function' ? undefined : answers, signal)
  } catch (error) {
    if (!isGuarded(error) || (answers !== undefined && typeof answers !== 'function')) throw error
    return putRequest(calls, file, await guestbooks.responseTo(error, answers, signal), signal)
  }
}

async function putRequest(
  calls: JsonCalls,
  file: Identifier,
  guestbookResponse: GuestbookResponse | undefined,
  signal: Signal,
): Promise<Message> {
  const answers = guestbookResponse === undefined ? {} : { body: jsonBody({ guestbookResponse }) }
  return message(calls.message({ route: fileRoute(file, '/requestAccess'), method: 'PUT', ...answers, signal }))
}

/** The setting belongs to the dataset, and takes effect when its draft is published. */
export async function putAllowance(
  calls: JsonCalls,
  dataset: Identifier,
  allow: boolean,
  signal: Signal,
): Promise<Message> {
  const body = { text: String(allow), type: 'text/plain' }
  return message(calls.message({ route: accessRequestsRoute(dataset), method: 'PUT', body, signal }))
}

/** Grants, rejects or revokes a user’s access. `ARGUMENT_INVALID` for a name that the server does not use. */
export async function decide(
  calls: JsonCalls,
  verb: 'grantAccess' | 'rejectAccess' | 'revokeAccess',
  file: Identifier,
  user: string,
  signal: Signal,
): Promise<Message> {
  const route = fileRoute(file, `/${verb}/${encodePath(checkAssignee(user))}`)
  return message(calls.message({ route, method: verb === 'revokeAccess' ? 'DELETE' : 'PUT', signal }))
}

/** The requests for a file; empty when there are none. */
export async function listRequests(
  calls: JsonCalls,
  file: Identifier,
  { includeHistory, perPage, start, signal }: ListRequestsOptions,
): Promise<readonly AccessRequest[]> {
  const query: Query = [
    ...(includeHistory ? [['includeHistory', 'true'] as const] : []),
    ...(perPage === undefined ? [] : [['per_page', String(perPage)] as const]),
    ...(start === undefined ? [] : [['start', String(start)] as const]),
  ]
  const route = fileRoute(file, '/listRequests')
  // 404 in the API's own words means that there are none: an unknown file is 400 here.
  const found = await calls.find(
    { route, query, signal },
    z.array(accessRequestSchema),
    ({ code }) => typeof code !== 'number',
  )
  return found ?? []
}

/** Whether the caller’s own request is pending. */
export async function askedAlready(calls: JsonCalls, file: Identifier, signal: Signal): Promise<boolean> {
  return calls.get({ route: fileRoute(file, '/userFileAccessRequested'), signal }, z.boolean())
}

/** What the server says the caller may do. */
export async function permissions(calls: JsonCalls, file: Identifier, signal: Signal): Promise<UserPermissions> {
  return calls.get({ route: fileRoute(file, '/userPermissions'), signal }, permissionsSchema)
}

/** The server takes `@name` or a group such as `&explicit/1-staff`; pyDataverse's manual shows e-mails and numbers. */
function checkAssignee(user: unknown): string {
  if (typeof user === 'string' && /^[@&:][^\s]+$/.test(user)) return user
  const name = String(user)
  const hint = /^\d+$/.test(name)
    ? 'The server does not accept user numbers: listFileAccessRequests shows the identifier of each user.'
    : name.includes('@')
      ? 'The server does not accept e-mail addresses: listFileAccessRequests shows the identifier of each user.'
      : 'Write @name for a user, or a group such as &explicit/1-staff.'
  throw new DataferryError('ARGUMENT_INVALID', `"${name}" is not how the server names a user. ${hint}`)
}

function jsonBody(value: unknown): { readonly text: string; readonly type: string } {
  return { text: JSON.stringify(value), type: 'application/json' }
}

async function message(said: Promise<string | undefined>): Promise<Message> {
  return { message: (await said) ?? '' }
}
