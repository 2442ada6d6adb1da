import type { Context, Visit } from '../context.ts'
import { notAllowed, thrown } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { getDataFile } from './datafile.ts'
import { postDataFile, postDataFileList, postDataset } from './guestbook.ts'
import { getAuxiliary, getCitation, getDdi } from './metadata.ts'
import { allowAccessRequest, REQUEST_ROUTES, routeRequests } from './requests.ts'
import { getBundle, getDatasetZip, getDataFiles, noContent, postDataFiles } from './zip.ts'

/** `/api/access/...` */
export async function routeAccess(visit: Visit, segments: readonly string[], context: Context): Promise<Reply> {
  const { call } = visit
  const [kind = '', ...rest] = segments
  const get = call.method === 'GET' || call.method === 'HEAD'
  const post = call.method === 'POST'
  switch (kind) {
    case 'datafile':
      return routeDataFile(visit, rest, context)
    case 'datafiles':
      if (rest.length === 0) return post ? postDataFiles(visit, context) : notAllowed(call, 'POST')
      if (post) return postDataFileList(visit, rest.join('/'), context)
      return get ? getDataFiles(visit, rest.join('/'), context) : notAllowed(call, 'GET', 'HEAD', 'POST')
    case 'dataset': {
      const [id = '', section, version] = rest
      if (section !== undefined && (section !== 'versions' || version === undefined)) return thrown(call, 404)
      if (post) return postDataset(visit, id, version, context)
      return get ? getDatasetZip(visit, id, version, context) : notAllowed(call, 'GET', 'HEAD', 'POST')
    }
    case 'fileCardImage':
    case 'dvCardImage':
      return noContent()
    default:
      if (rest[0] === 'allowAccessRequest' && call.method === 'PUT') return allowAccessRequest(visit, kind, context)
      return thrown(call, 404)
  }
}

async function routeDataFile(visit: Visit, segments: readonly string[], context: Context): Promise<Reply> {
  const { call } = visit
  const [id = '', section, third = ''] = segments
  const post = call.method === 'POST'
  if (id === 'bundle' && section !== undefined) return getBundle(visit, segments.slice(1), context)
  const action = REQUEST_ROUTES.find((name) => name === section)
  if (action) return routeRequests(visit, { id, action, who: third }, context)
  if (section === 'auxiliary') return getAuxiliary(visit, segments, context)
  if (section === 'metadata') return getDdi(visit, segments, context)
  if (section === 'citation') return getCitation(visit, segments, context)
  if (post) return postDataFile(visit, segments, context)
  if (call.method !== 'GET' && call.method !== 'HEAD') return notAllowed(call, 'GET', 'HEAD', 'POST')
  return getDataFile(visit, segments, context)
}
