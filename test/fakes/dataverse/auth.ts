import { createHash } from 'node:crypto'
import { today } from './access.ts'
import type { Call } from './call.ts'
import type { Context, User, Visit } from './context.ts'
import { failure, Refusal } from './reply.ts'

/**
 * Finds out who asks: token header, else `key`, else a signed URL; a bearer header is ignored, as without its feature
 * flag. A token that is not known ends the request with 401, public file or not.
 */
export function identify(call: Call, context: Context): Omit<Visit, 'count'> {
  const token = call.header('x-dataverse-key') ?? call.query.get('key')
  if (token !== null) {
    const user = context.tokens.get(token)
    const isOver = user?.expires !== undefined && today(context) >= user.expires
    if (!user || isOver) throw new Refusal(failure(401, 'Bad API key'))
    return { call, user, signed: false }
  }
  if (!call.query.has('token')) return { call, user: undefined, signed: false }
  return { call, user: signer(call, context), signed: true }
}

/** The user of a signed URL, undefined for the guest. Any edit of the URL breaks its signature. */
function signer(call: Call, context: Context): User | undefined {
  const url = call.requestUrl
  const mark = url.lastIndexOf('token=') + 'token='.length
  const until = Date.parse(call.query.get('until') ?? '')
  const name = call.query.get('user')
  const good =
    url.slice(mark) === signature(url.slice(0, mark), context.secret) &&
    until >= context.clock() &&
    call.query.get('method') === call.method
  if (!good) throw new Refusal(failure(401, 'Bad signed URL'))
  return [...context.tokens.values()].find((user) => user.name === `@${name ?? ''}`)
}

const SIGNED_FOR_MS = 60_000

/** Signs a path of this server for GET, for one minute. @see UrlSignerUtil.java */
export function signUrl(pathAndQuery: string, user: User | undefined, context: Context): string {
  const until = localTime(context.clock() + SIGNED_FOR_MS)
  const joint = pathAndQuery.includes('?') ? '&' : '?'
  const name = user ? user.name.replace(/^@/, '') : 'guest'
  const unsigned = `${context.url}${pathAndQuery}${joint}until=${until}&user=${name}&method=GET&token=`
  return unsigned + signature(unsigned, context.secret)
}

function signature(url: string, secret: string): string {
  return createHash('sha512')
    .update(url + secret)
    .digest('hex')
}

/** Server-local time without zone. */
function localTime(ms: number): string {
  const offsetMs = new Date(ms).getTimezoneOffset() * 60_000
  return new Date(ms - offsetMs).toISOString().slice(0, -1)
}
