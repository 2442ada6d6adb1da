import type { AccessRequest, Message } from '../dataverse/access-requests.ts'
import type { DataAccessApi } from '../dataverse/data-access-api.ts'
import { DataferryError } from '../errors.ts'
import { nearest } from '../model/nearest.ts'
import { ACCESS_ACTIONS } from './access-table.ts'
import type { Context } from './command.ts'
import { responder } from './answers.ts'
import { datasetOf, fileOf, type Identified } from './identify.ts'

/** What an action works with. */
interface AccessCall {
  readonly context: Context
  readonly api: DataAccessApi
  readonly named: Identified
  /** As it was typed. */
  readonly id: string
  readonly users: readonly string[]
  readonly signal: AbortSignal
}

/** One thing to do about access. */
type AccessAction = (typeof ACCESS_ACTIONS)[number]
/** Does it and prints the answer. */
type AccessRun = (call: AccessCall) => Promise<void>

const RUN: Readonly<Record<AccessAction['name'], AccessRun>> = {
  request,
  list,
  grant: decide('grantFileAccess'),
  reject: decide('rejectFileAccess'),
  revoke: decide('revokeFileAccess'),
  allow,
  permissions,
}

/** Throws `ARGUMENT_INVALID` for a word that is no action. */
export function findAction(word: string): AccessAction & { readonly run: AccessRun } {
  const action = ACCESS_ACTIONS.find(({ name }) => name === word)
  if (action) return { ...action, run: RUN[action.name] }
  const names = ACCESS_ACTIONS.map(({ name }) => name)
  const meant = nearest(word, names)
  const hint = meant === undefined ? `use ${names.join(', ')}` : `did you mean ${meant}?`
  throw new DataferryError('ARGUMENT_INVALID', `There is no "access ${word}"; ${hint}`)
}

async function request({ context, api, named, id, signal }: AccessCall): Promise<void> {
  const guestbookResponse = responder(context.config, named.server)
  tell(context, 'request', id, await api.requestAccess(fileOf(named, id), { guestbookResponse, signal }))
}

async function allow({ context, api, named, id, signal }: AccessCall): Promise<void> {
  tell(context, 'allow', id, await api.allowAccessRequest(datasetOf(named, id), !context.has('off'), { signal }))
}

function decide(method: 'grantFileAccess' | 'rejectFileAccess' | 'revokeFileAccess'): AccessRun {
  return async ({ context, api, named, id, users, signal }) => {
    const file = fileOf(named, id)
    for (const user of users) {
      const action = method.replace('FileAccess', '')
      tell(context, action, id, await api[method](file, user, { signal }), user)
    }
  }
}

function tell({ out }: Context, action: string, id: string, { message }: Message, user?: string): void {
  out.result({ event: 'access', action, id, ...(user !== undefined && { user }), message }, message, 'good')
}

async function list({ context: { out, has }, api, named, id, signal }: AccessCall): Promise<void> {
  const found = await api.listFileAccessRequests(fileOf(named, id), { includeHistory: has('history'), signal })
  for (const one of found) out.record({ event: 'access-request', ...one })
  if (found.length === 0) out.line(`Nobody has requested access to ${id}.`)
  else out.table([{ title: 'USER' }, { title: 'STATE' }, { title: 'NAME' }, { title: 'E-MAIL' }], found.map(row))
}

function row({ identifier, requestState, displayName, email }: AccessRequest): { readonly text: string }[] {
  return [identifier, requestState ?? 'created', displayName ?? '', email ?? ''].map((text) => ({ text }))
}

async function permissions({ context: { out }, api, named, id, signal }: AccessCall): Promise<void> {
  const file = fileOf(named, id)
  const may = await api.userPermissions(file, { signal })
  const requested = await api.userFileAccessRequested(file, { signal })
  // The server also says so of requests that were granted or rejected.
  const open = requested && !may.canDownloadFile
  out.record({ event: 'permissions', id, ...may, requested: open })
  const rows: readonly (readonly [string, boolean])[] = [
    ['download it (only a download shows for certain)', may.canDownloadFile],
    ['manage access to it', may.canManageFilePermissions ?? false],
    ['edit its dataset', may.canEditOwnerDataset ?? false],
    ['your request for it is pending, unless it was rejected', open],
  ]
  out.table(
    [{ title: 'MAY' }, { title: id }],
    rows.map(([text, yes]) => [{ text }, { text: yes ? 'yes' : 'no', tone: yes ? 'good' : 'plain' }]),
  )
}
