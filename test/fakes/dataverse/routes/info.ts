import type { Context, Visit } from '../context.ts'
import { guestbookJson } from '../guestbook.ts'
import { failure, ok, Refusal, unknownRoute, unless } from '../reply.ts'
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

/** `GET /api/users/:me`: who a token belongs to. */
export function getUsers({ call, user }: Visit, segments: readonly string[]): Reply {
  if (segments.join('/') !== ':me') throw unknownRoute(call)
  const token = call.header('x-dataverse-key') ?? call.query.get('key') ?? 'null'
  if (!user || user.preview) throw new Refusal(failure(400, `User with token ${token} not found.`))
  const { name, superuser } = user
  const data = { id: 2, identifier: name, displayName: name.slice(1), email: `${name.slice(1)}@example.org`, superuser }
  return ok(data)
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
