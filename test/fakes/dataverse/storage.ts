import type { IncomingMessage } from 'node:http'
import type { Content } from './content.ts'
import type { Context } from './context.ts'
import { checkPresigned } from './presign.ts'
import { readRange } from './range.ts'
import { html, text } from './reply.ts'
import type { Reply } from './reply.ts'
import { externalZip } from './zip-service.ts'

/** The storage host: an object store that knows presigned URLs and nothing of Dataverse's credentials. */
export function answerStorage(message: IncomingMessage, context: Context): Reply {
  const url = message.url ?? '/'
  if (url.startsWith('/cgi-bin/zipdownload')) return externalZip(url, context) ?? html(404, 'Not Found')
  if (message.headers.authorization !== undefined)
    return xmlError(400, 'InvalidArgument', 'Only one auth mechanism allowed; use the X-Amz-Algorithm query parameter.')
  // Signed for GET: any other method has another signature.
  if (message.method !== 'GET') return xmlError(403, 'SignatureDoesNotMatch', 'The signature does not match.')
  const presigned = checkPresigned(url, context)
  if (presigned.kind === 'refused') return xmlError(403, 'AccessDenied', presigned.message)
  const file = context.world.file(presigned.file)
  const content = presigned.original ? file?.tabular?.original : file?.stored
  if (!content) return xmlError(404, 'NoSuchKey', 'The specified key does not exist.')
  return object(message, content, presigned.query, `"${presigned.file}${presigned.original ? '-orig' : ''}"`)
}

function object(message: IncomingMessage, content: Content, query: URLSearchParams, etag: string): Reply {
  const headers = {
    'Content-Disposition': query.get('response-content-disposition') ?? 'attachment',
    'Content-Type': query.get('response-content-type') ?? 'binary/octet-stream',
    ETag: etag,
    'Last-Modified': 'Mon, 10 Feb 2025 09:00:00 GMT',
    'Accept-Ranges': 'bytes',
  }
  const condition = message.headers['if-range']
  const stale = condition !== undefined && condition !== etag
  const header = stale ? undefined : message.headers.range
  const body = { kind: 'part', content, from: 0, to: content.size } as const
  if (header === undefined) return { status: 200, headers, body }
  // A suffix longer than the object means all of it, in contrast to Dataverse itself.
  const range = readRange(header, content.size)
  if (range.kind === 'refused') return xmlError(416, 'InvalidRange', 'The requested range is not satisfiable')
  const { from, to } = range.kind === 'part' ? range : body
  const contentRange = `bytes ${from}-${to - 1}/${content.size}`
  return { status: 206, headers: { ...headers, 'Content-Range': contentRange }, body: { ...body, from, to } }
}

function xmlError(status: number, code: string, message: string): Reply {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return text(status, 'application/xml', body)
}
