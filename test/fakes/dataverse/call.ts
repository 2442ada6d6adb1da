import type { IncomingMessage } from 'node:http'

/** One request, taken apart. */
export interface Call {
  readonly method: string
  /** Path and query as they came. */
  readonly url: string
  /** Decoded path segments after `/api` or `/api/v1`; without empty ones. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly header: (name: string) => string | undefined
  /** As error bodies show it: absolute, in the `/api/v1` form, with the whole query. */
  readonly requestUrl: string
  /** The body, read once. */
  readonly body: () => Promise<string>
  readonly bytes: () => Promise<Buffer>
}

/** @returns undefined for a path outside `/api`. */
export function readCall(message: IncomingMessage, origin: string): Call | undefined {
  const url = message.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const prefix = /^\/api(?:\/v1)?(?=\/|$)/.exec(path)?.[0]
  if (prefix === undefined) return undefined
  const rest = path.slice(prefix.length)
  let read: Promise<Buffer> | undefined
  const bytes = (): Promise<Buffer> => (read ??= readBytes(message))
  return {
    method: message.method ?? 'GET',
    url,
    segments: rest.split('/').filter(Boolean).map(decoded),
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    header: (name) => {
      const value = message.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    requestUrl: `${origin}/api/v1${rest}${mark < 0 ? '' : url.slice(mark)}`,
    body: async () => (await bytes()).toString(),
    bytes,
  }
}

function decoded(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

export async function readBody(message: IncomingMessage): Promise<string> {
  return (await readBytes(message)).toString()
}

async function readBytes(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) if (Buffer.isBuffer(chunk)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** JAX-RS rule: a numeric parameter that cannot be read makes the route unknown, so the caller answers 404. */
export function integer(value: string | null): number | undefined | 'bad' {
  if (value === null || value === '') return undefined
  return /^-?\d+$/.test(value) ? Number(value) : 'bad'
}

/** Booleans never fail: anything but `true` is false. */
export function flag(call: Call, name: string): boolean {
  return call.query.get(name)?.toLowerCase() === 'true'
}
