import { createHmac } from 'node:crypto'
import type { Context } from './context.ts'
import type { DataFile } from './datafile.ts'

/** A stored object behind a presigned URL: the file itself, or the original of a tabular file. */
export interface StoredObject {
  readonly file: DataFile
  readonly original: boolean
}

/** Signs a URL of the storage host for GET (S3:967-1047). It holds no credential of Dataverse. */
export function presign(object: StoredObject, name: string, type: string, context: Context): string {
  const path = `/${object.file.dataset.pid.replace(/^\w+:/, '')}/${object.file.id}${object.original ? '.orig' : ''}`
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Date=${amzDate(context.clock())}`,
    'X-Amz-SignedHeaders=host',
    `X-Amz-Expires=${Math.ceil(context.settings.presignTtlMs / 1000)}`,
    'X-Amz-Credential=STANDIN%2F20260101%2Fus-east-1%2Fs3%2Faws4_request',
    `response-content-disposition=${strict(`attachment; filename*=UTF-8''${strict(name)}`)}`,
    `response-content-type=${strict(type)}`,
  ].join('&')
  return `${context.storageUrl}${path}?${query}&X-Amz-Signature=${sign(`${path}?${query}`, context.secret)}`
}

/** Percent-encoding as AWS does it; a quote left alone would be encoded by URL parsers and break the signature. */
function strict(value: string): string {
  return encodeURIComponent(value).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}

export type Presigned =
  | { readonly kind: 'good'; readonly file: number; readonly original: boolean; readonly query: URLSearchParams }
  | { readonly kind: 'refused'; readonly message: string }

/** Checks a URL as an object store does when a request starts; a transfer that runs is never cut for its age. */
export function checkPresigned(url: string, context: Context): Presigned {
  const at = url.lastIndexOf('&X-Amz-Signature=')
  const unsigned = at < 0 ? url : url.slice(0, at)
  const [path = '', search = ''] = unsigned.split('?')
  const query = new URLSearchParams(search)
  const given = at < 0 ? '' : url.slice(at + '&X-Amz-Signature='.length)
  if (given !== sign(unsigned, context.secret)) return { kind: 'refused', message: 'Access Denied' }
  const expires = readAmzDate(query.get('X-Amz-Date') ?? '') + Number(query.get('X-Amz-Expires')) * 1000
  if (context.clock() > expires) return { kind: 'refused', message: 'Request has expired' }
  const name = path.slice(path.lastIndexOf('/') + 1)
  return { kind: 'good', file: Number.parseInt(name, 10), original: name.endsWith('.orig'), query }
}

function sign(text: string, secret: string): string {
  return createHmac('sha256', secret).update(text).digest('hex')
}

function amzDate(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function readAmzDate(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
}
