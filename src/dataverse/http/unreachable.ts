import { DataferryError, messageOf } from '../../errors.ts'

/** Error codes of OpenSSL and Node.js for a certificate they do not accept. */
const UNTRUSTED =
  /^(?:UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|CERT_|HOSTNAME_MISMATCH|INVALID_(?:CA|PURPOSE)|ERR_TLS_CERT|UND_ERR_PRX_TLS)/
/** Their codes for a peer that does not speak TLS, or no common version of it. */
const NO_TLS = /^(?:ERR_SSL_|EPROTO$)/

/**
 * The error for a connection on which no answer came.
 * @param proxy the proxy in between, without user and password
 */
export function unreachable(origin: string, code: string, cause: Error, proxy: string | undefined): DataferryError {
  const through = proxy === undefined ? '' : ` through the proxy ${proxy}`
  const refused = /\((\d{3})\) !== 200 when HTTP Tunneling|Proxy Authentication Required \((407)\)/.exec(
    messageOf(cause),
  )
  const status = refused?.[1] ?? refused?.[2]
  if (status !== undefined) return refusedByProxy(origin, proxy ?? 'in between', status, cause)
  if (UNTRUSTED.test(code) || NO_TLS.test(code)) {
    const what = UNTRUSTED.test(code) ? 'its certificate is not accepted' : 'it does not speak TLS there'
    const message = `No secure connection to ${origin}${through} could be made: ${what} (${code}): ${messageOf(cause)}.`
    return new DataferryError('TLS_REJECTED', message, { cause })
  }
  const message = `${origin} cannot be reached${through}: ${reason(code, cause)}.`
  return new DataferryError('SOURCE_UNREACHABLE', message, { cause })
}

function reason(code: string, cause: Error): string {
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'no connection in time'
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return 'no answer in time'
  return `${messageOf(cause)} (${code})`
}

function refusedByProxy(origin: string, proxy: string, status: string, cause: Error): DataferryError {
  if (status === '407') {
    const message = `The proxy ${proxy} asks for a user name and a password (407).`
    return new DataferryError('PROXY_REJECTED', message, { cause })
  }
  // What a gateway answers for a server that is away.
  if (/^5/.test(status)) {
    const message = `${origin} cannot be reached: the proxy ${proxy} could not reach it (${status}).`
    return new DataferryError('SOURCE_UNREACHABLE', message, { cause })
  }
  return new DataferryError(
    'PROXY_REJECTED',
    `The proxy ${proxy} does not allow connections to ${origin} (${status}).`,
    { cause },
  )
}
