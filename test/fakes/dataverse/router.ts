import type { Context, Visit } from './context.ts'
import { internalError, json, notAllowed, Refusal, thrown } from './reply.ts'
import type { Reply } from './reply.ts'
import { routeAccess } from './routes/access.ts'
import { getCollections } from './routes/collections.ts'
import { getDatasets } from './routes/datasets.ts'
import { getExport } from './routes/exports.ts'
import { getFiles } from './routes/files.ts'
import { getGuestbooks, getInfo, getNotifications, getSet, getUsers } from './routes/info.ts'
import { search } from './routes/search.ts'
import { write } from './routes/write.ts'

/** Rejects with `Refusal` for an early answer. */
async function route(visit: Visit, context: Context): Promise<Reply> {
  const { call } = visit
  const [area = '', ...rest] = call.segments
  // Envelope 7: the filter spells its status in lower case (ApiBlockingFilter.java:171).
  if (context.settings.blocked.some((prefix) => call.segments.join('/').startsWith(prefix)))
    return json(503, { status: 'error', message: 'Endpoint blocked. Access denied.' })
  if (area === 'access') return routeAccess(visit, rest, context)
  if (call.method !== 'GET' && call.method !== 'HEAD') {
    if (['datasets', 'dataverses', 'files', 'guestbooks'].includes(area)) return write(visit, context)
    return notAllowed(call, 'GET', 'HEAD')
  }
  switch (area) {
    case 'datasets':
      if (rest.join('/') === 'export') return getExport(visit, context)
      return getDatasets(visit, rest, context)
    case 'files':
      return getFiles(visit, rest, context)
    case 'dataverses':
      return getCollections(visit, rest, context)
    case 'search':
      return search(visit, context)
    case 'info':
      return getInfo(visit, rest, context)
    case 'harvest':
      return getSet(visit, rest, context)
    case 'users':
      return getUsers(visit, rest, context)
    case 'notifications':
      return getNotifications(visit, rest, context)
    case 'guestbooks':
      return getGuestbooks(visit, rest, context)
    default:
      return thrown(call, 404)
  }
}

/** Answers a request; every way out, a bad token too, becomes an answer. */
export async function answer(visit: () => Visit, call: Visit['call'], context: Context): Promise<Reply> {
  try {
    return await route(visit(), context)
  } catch (error) {
    return error instanceof Refusal
      ? error.reply
      : internalError(call, error instanceof Error ? error.name : 'Throwable')
  }
}
