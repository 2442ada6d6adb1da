import { curates, denied, embargoed, latestReleased, retentionExpired, versionHolds } from '../access.ts'
import type { Context, Notification, User, Visit } from '../context.ts'
import type { DataFile } from '../datafile.ts'
import { enabledGuestbook, storeResponse } from '../guestbook.ts'
import { findDataFile, requireDataset } from '../lookup.ts'
import { failure, internalError, ok, Refusal, said, thrown, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'

export const REQUEST_ROUTES = [
  'requestAccess',
  'listRequests',
  'grantAccess',
  'rejectAccess',
  'revokeAccess',
  'userFileAccessRequested',
  'userPermissions',
] as const
export type RequestRoute = (typeof REQUEST_ROUTES)[number]

/** Access requests and permissions of one file (Access:1780-2235). */
export async function routeRequests(
  visit: Visit,
  { id, action, who }: { readonly id: string; readonly action: RequestRoute; readonly who: string },
  context: Context,
): Promise<Reply> {
  const file = findDataFile(visit.call, [id], context)
  switch (action) {
    case 'requestAccess':
      return requestAccess(visit, file, id, context)
    case 'listRequests':
      return listRequests(visit, file, id, context)
    case 'grantAccess':
    case 'rejectAccess':
    case 'revokeAccess':
      return decide(visit, file, { id, action, who }, context)
    case 'userFileAccessRequested':
      // Whatever became of the request (note §12).
      return ok(context.memory.accessRequests.get(asked(visit, file, id).id)?.has(visit.user?.name ?? '') === true)
    case 'userPermissions':
      unless('paging', context.features, visit.call)
      return userPermissions(visit, asked(visit, file, id))
  }
}

/** The order that the two questions about oneself fail in: guest 401, no number 400, unknown 404. */
function asked(visit: Visit, file: DataFile | undefined, id: string): DataFile {
  if (!visit.user || visit.user.preview) throw new Refusal(failure(401, 'You must be authenticated.'))
  if (id !== ':persistentId' && !/^\d+$/.test(id)) throw new Refusal(failure(400, `Bad file id ${id}`))
  if (!file) throw new Refusal(failure(404, `File with ID ${id} not found.`))
  return file
}

function could(id: string): string {
  return `Could not find datafile with id ${id}.`
}

/** All failures are 400. */
async function requestAccess(visit: Visit, file: DataFile | undefined, id: string, context: Context): Promise<Reply> {
  const refuse = (message: string): Refusal => new Refusal(failure(400, message))
  if (!file) throw refuse(could(id))
  if (!visit.user) throw refuse('You must be authenticated to request access.')
  if (!file.dataset.fileAccessRequest) throw refuse('Requests for access are not accepted on the Dataset.')
  if (retentionExpired(file, context)) throw refuse('The retention period of this file has expired.')
  if (embargoed(file, context)) throw refuse('You may not request access to this embargoed file.')
  if (!denied(file, visit.user, context))
    throw refuse('You may not request access to this file. It may already be available to you.')
  const states = context.memory.accessRequests.get(file.id) ?? new Map<string, 'created' | 'granted' | 'rejected'>()
  if (states.get(visit.user.name) === 'created')
    throw refuse('An access request for this file on your behalf already exists.')
  const body = await visit.call.body()
  const book = enabledGuestbook(file.dataset, context)
  if (book && file.dataset.guestbookAtRequest && !body.startsWith('{'))
    throw refuse(
      `You may not request access to this file without the required Guestbook response for guestbookID ${book.id}.`,
    )
  // Even where it is not required it is taken (Access, requestFileAccess).
  if (book && body.startsWith('{'))
    storeResponse({ body, files: [file], event: 'AccessRequest' }, file.label, visit, context)
  context.memory.accessRequests.set(file.id, states.set(visit.user.name, 'created'))
  notify(visit.user, 'REQUESTEDFILEACCESS', file, context)
  return said(`Access to File ${file.label} requested.`, context.settings.topLevelMessages)
}

function listRequests(visit: Visit, file: DataFile | undefined, id: string, context: Context): Reply {
  if (!file) throw new Refusal(failure(400, could(id)))
  if (!visit.user) throw new Refusal(failure(401, 'You must be authenticated.'))
  if (!curates(visit.user, file.dataset))
    throw new Refusal(failure(403, 'You do not have permission to list requests.'))
  const history = context.features.citations && visit.call.query.get('includeHistory') === 'true'
  const all = [...(context.memory.accessRequests.get(file.id) ?? [])]
  const shown = all.filter(([, state]) => history || state === 'created')
  if (shown.length === 0) throw new Refusal(failure(404, `There are no access requests for this file: ${file.label}`))
  return ok(shown.map(([name, state]) => ({ identifier: name, displayName: name.slice(1), requestState: state })))
}

/** Grant and reject fail with 400 for everything; revoke with 401 for a missing right. */
function decide(
  visit: Visit,
  file: DataFile | undefined,
  {
    id,
    action,
    who,
  }: { readonly id: string; readonly action: 'grantAccess' | 'rejectAccess' | 'revokeAccess'; readonly who: string },
  context: Context,
): Reply {
  if (!file) throw new Refusal(failure(400, could(id)))
  if (action === 'rejectAccess' && !visit.user) throw new Refusal(internalError(visit.call, 'NullPointerException'))
  const missing = action === 'revokeAccess' ? 401 : 400
  if (!curates(visit.user, file.dataset))
    throw new Refusal(failure(missing, 'You do not have permission to manage this file.'))
  const grantee = [...context.tokens.values()].find(({ name }) => name === who)
  if (!grantee) throw new Refusal(failure(400, `Could not find user ${who}.`))
  return applied(file, grantee, action, context)
}

function applied(
  file: DataFile,
  grantee: User,
  action: 'grantAccess' | 'rejectAccess' | 'revokeAccess',
  context: Context,
): Reply {
  const states = context.memory.accessRequests.get(file.id) ?? new Map<string, 'created' | 'granted' | 'rejected'>()
  context.memory.accessRequests.set(file.id, states)
  const done = (verb: string): Reply => said(`Access to File ${file.label} ${verb}.`, context.settings.topLevelMessages)
  if (action === 'revokeAccess') {
    if (!grantee.grants.delete(file.id)) throw new Refusal(failure(400, `${grantee.name} has no access to revoke.`))
    return done('revoked')
  }
  if (action === 'rejectAccess' && states.get(grantee.name) !== 'created')
    throw new Refusal(failure(400, `Request for access to ${file.label} not found.`))
  states.set(grantee.name, action === 'grantAccess' ? 'granted' : 'rejected')
  if (action === 'grantAccess') grantee.grants.add(file.id)
  notify(grantee, action === 'grantAccess' ? 'GRANTFILEACCESS' : 'REJECTFILEACCESS', file, context)
  return done(action === 'grantAccess' ? 'granted' : 'rejected')
}

/** By the API there is one for each file, which names its dataset (Access, rejectFileAccess). */
function notify({ name: user }: User, type: Notification['type'], { dataset }: DataFile, context: Context): void {
  const { notifications } = context.memory
  notifications.push({ id: notifications.length + 1, user, type, dataset: dataset.pid, at: context.clock() })
}

/** The static query: not the download gate. Blind to embargo and retention, and to older releases (note §1.7). */
function userPermissions(visit: Visit, file: DataFile): Reply {
  const manages = curates(visit.user, file.dataset)
  const current = versionHolds(latestReleased(file.dataset), file) && !file.spec.restricted
  const canDownloadFile = manages || current || visit.user?.grants.has(file.id) === true
  return ok({ canDownloadFile, canManageFilePermissions: manages, canEditOwnerDataset: manages })
}

/** `PUT {datasetId}/allowAccessRequest`: a change of the draft, so it shows when that is published. */
export async function allowAccessRequest(visit: Visit, id: string, context: Context): Promise<Reply> {
  const body = (await visit.call.body()).trim()
  try {
    const dataset = requireDataset(visit.call, id, context)
    if (!curates(visit.user, dataset))
      throw new Refusal(failure(400, 'You do not have permission to edit this dataset.'))
    const verb = body === 'true' ? 'will now' : 'will no longer'
    return said(`Dataset ${dataset.title} ${verb} accept requests for access.`, context.settings.topLevelMessages)
  } catch (error) {
    if (error instanceof Refusal && error.reply.status === 404)
      throw new Refusal(thrown(visit.call, 400, `No dataset ${id}`))
    throw error
  }
}
