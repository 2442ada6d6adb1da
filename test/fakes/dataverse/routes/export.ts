import { latestReleased } from '../access.ts'
import type { Context, Visit } from '../context.ts'
import { limit } from '../limiter.ts'
import { failure, ok, Refusal, unknownRoute } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { Dataset } from '../world.ts'

/** What each form says of the version that it is of. */
const FORMS: Readonly<Record<string, (dataset: Dataset, major: string, minor: string) => string>> = {
  dataverse_json: ({ id }, major, minor) =>
    JSON.stringify({ id, datasetVersion: { versionNumber: Number(major), versionMinorNumber: Number(minor) } }),
  OAI_ORE: ({ pid }, major, minor) =>
    JSON.stringify({ 'ore:describes': { '@id': pid, 'schema:version': `${major}.${minor}` } }),
  'schema.org': ({ pid }, major) => JSON.stringify({ '@type': 'Dataset', identifier: pid, version: major }),
  Datacite: (_, major, minor) => `<resource><version>${major}.${minor}</version></resource>`,
  ddi: (_, major) => `<codeBook><version date="2025-02-10" type="RELEASED">${major}</version></codeBook>`,
  croissant: ({ pid }, major, minor) =>
    JSON.stringify({ '@type': 'sc:Dataset', url: pid, version: `${major}.${minor}.0` }),
}

/**
 * `GET /api/datasets/export`: the newest release, from a cache that lags behind a publication.
 * @see the mirroring note §3
 */
export function exportDataset(visit: Visit, context: Context): Reply {
  const { query } = visit.call
  const dataset = context.world.datasetByPid(query.get('persistentId') ?? '', context.features.foldedDois)
  if (!dataset) throw new Refusal(failure(404, 'A dataset with the persistentId was not found.'))
  limit(visit, 'GetLatestPublishedDatasetVersionCommand', context)
  const released = latestReleased(dataset)
  if (!released) throw new Refusal(failure(400, 'Unable to look up dataset based on version.'))
  const form = FORMS[query.get('exporter') ?? '']
  if (!form) throw new Refusal(failure(403, 'Export Failed'))
  const [major = '', minor = ''] = (dataset.exported ?? released.number).split('.')
  const data = Buffer.from(form(dataset, major, minor))
  return { status: 200, headers: { 'Content-Type': 'application/octet-stream' }, body: { kind: 'bytes', data } }
}

/** `GET /api/harvest/server/oaisets/{spec}`: what defines an OAI set. */
export function getSet({ call }: Visit, segments: readonly string[], { settings }: Context): Reply {
  const [server, area, spec = ''] = segments
  if (server !== 'server' || area !== 'oaisets') throw unknownRoute(call)
  const definition = settings.oaiSets[spec]
  if (definition === undefined) throw new Refusal(failure(404, `No such set ${spec}.`))
  return ok({ name: spec, spec, definition, description: spec })
}
