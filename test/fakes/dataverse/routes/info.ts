import { flag, integer } from '../call.ts'
import type { Context, Notification, Visit } from '../context.ts'
import { guestbookJson } from '../guestbook.ts'
import { failure, ok, Refusal, said, unknownRoute, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** `GET /api/info/...` */
export function getInfo({ call }: Visit, segments: readonly string[], context: Context): Reply {
  switch (segments.join('/')) {
    case 'version':
      return ok({ version: context.features.version, build: null })
    case 'zipDownloadLimit':
      unless('paging', context.features, call)
      return ok(context.settings.zipLimit)
    default:
      throw unknownRoute(call)
  }
}

/** `GET /api/users/:me`: who a token belongs to. `GET /api/users/token`: when it expires. */
export function getUsers(visit: Visit, segments: readonly string[], context: Context): Reply {
  const { call, user } = visit
  if (segments.join('/') === 'token') return tokenExpiry(visit, context)
  if (segments.join('/') !== ':me') throw unknownRoute(call)
  const token = call.header('x-dataverse-key') ?? call.query.get('key') ?? 'null'
  if (!user || user.preview) throw new Refusal(failure(400, `User with token ${token} not found.`))
  const { name, superuser } = user
  const data = { id: 2, identifier: name, displayName: name.slice(1), email: `${name.slice(1)}@example.org`, superuser }
  return ok(data)
}

/** In a sentence that holds the token itself. Tokens live for a year. */
function tokenExpiry({ call, user }: Visit, { settings: { topLevelMessages }, clock }: Context): Reply {
  const token = call.header('x-dataverse-key') ?? call.query.get('key')
  if (!user || user.preview || token === null) throw new Refusal(failure(404, `Token not found.`))
  const day = user.expires ?? new Date(clock() + YEAR_MS).toISOString().slice(0, 10)
  return said(`Token ${token} expires on ${day} 00:00:00.0`, topLevelMessages)
}

const YEAR_MS = 365 * 86_400_000

/**
 * `GET /api/notifications/all`, the newest first. Since 6.9 in the format of the application, a page at a time; else as a list of
 * texts. @see the mirroring note §4
 */
export function getNotifications({ call, user }: Visit, segments: readonly string[], context: Context): Reply {
  if (segments.join('/') !== 'all') throw unknownRoute(call)
  if (!user || user.preview) throw new Refusal(failure(401, 'You must be authenticated.'))
  const own = context.memory.notifications.filter((one) => one.user === user.name).reverse()
  const { destroyedDataset } = context.settings
  if (!flag(call, 'inAppNotificationFormat') || !context.features.totalCount) {
    if (destroyedDataset) throw new Refusal(failure(500, 'Internal server error.'))
    const shown = own.map((one) => ({
      id: one.id,
      type: one.type,
      sentTimestamp: sentAt(one.at),
      ...mail(one, context),
    }))
    return ok({ notifications: shown })
  }
  const [limit, offset] = [integer(call.query.get('limit')), integer(call.query.get('offset'))]
  if (limit === 'bad' || offset === 'bad') throw unknownRoute(call)
  const from = offset ?? 0
  const page = own.slice(from, from + (limit ?? own.length)).map(({ id, type, at, dataset }) => ({
    id,
    type,
    displayAsRead: false,
    sentTimestamp: new Date(at).toISOString(),
    ...(context.settings.namelessNotifications ? { objectDeleted: true } : { datasetPersistentIdentifier: dataset }),
  }))
  const gone = { id: 0, type: 'REJECTFILEACCESS', sentTimestamp: new Date().toISOString(), objectDeleted: true }
  return ok(destroyedDataset ? [...page, gone] : page, own.length)
}

/** What is mailed, too (MailServiceBean, getMessageTextBasedOnNotification). */
function mail(
  { type, dataset }: Notification,
  { url }: Context,
): { readonly subjectText: string; readonly messageText: string } {
  const link = `${url}/dataset.xhtml?persistentId=${dataset}`
  return { subjectText: type, messageText: `Your request concerns files in the dataset: A title (view at ${link} ).` }
}

/** `November 27, 2026 6:38 PM UTC` */
function sentAt(ms: number): string {
  const at = new Date(ms)
  const day = at.toLocaleString('en-US', { dateStyle: 'long', timeZone: 'UTC' })
  const time = at.toLocaleString('en-US', { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' })
  return `${day} ${time.replaceAll(/\s/g, ' ')} UTC`
}

/** `GET /api/guestbooks/{id}` */
export function getGuestbooks({ call }: Visit, segments: readonly string[], context: Context): Reply {
  unless('strict', context.features, call)
  for (const dataset of context.world.datasets.values())
    if (dataset.guestbook && String(dataset.guestbook.id) === segments[0]) return ok(guestbookJson(dataset.guestbook))
  throw new Refusal(failure(404, `Guestbook with ID ${segments[0] ?? ''} not found.`))
}

/** `GET /api/harvest/server/oaisets/{spec}`: what defines an OAI set. */
export function getSet({ call }: Visit, segments: readonly string[], { settings }: Context): Reply {
  const [server, area, spec = ''] = segments
  if (server !== 'server' || area !== 'oaisets') throw unknownRoute(call)
  const definition = settings.oaiSets[spec]
  if (definition === undefined) throw new Refusal(failure(404, `No such set ${spec}.`))
  return ok({ name: spec, spec, definition, description: spec })
}
