import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { messageOf } from '../errors.ts'
import type { Proxies } from '../model/proxies.ts'
import type { Environment } from './environment.ts'

/** How this machine reaches others. */
export interface Network {
  readonly proxies: Proxies
  /** Certificate authorities in PEM, all that are trusted; undefined: those of Node.js. */
  readonly ca: readonly string[] | undefined
}

/** Reads the usual proxy variables, in both cases, and the file of `--ca-file`. Adds to `problems`. */
export function readNetwork(env: Environment, caFile: string | undefined, problems: string[]): Network {
  return {
    proxies: {
      http: proxyIn(env, ['http_proxy', 'HTTP_PROXY'], problems),
      https: proxyIn(env, ['https_proxy', 'HTTPS_PROXY'], problems),
      none: env['no_proxy'] || env['NO_PROXY'] || '',
    },
    ca: caFile === undefined ? undefined : readAuthorities(env, caFile, problems),
  }
}

/** Certificates are then not checked at all, so a proxy in between would get the token. */
export function refuseUnchecked(env: Environment, hasToken: boolean, problems: string[]): void {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0' || !hasToken) return
  problems.push(
    'NODE_TLS_REJECT_UNAUTHORIZED=0 would expose the API token to anybody between here and the server: unset it, and give ' +
      'the certificate authority of your institution with --ca-file or NODE_EXTRA_CA_CERTS',
  )
}

function proxyIn(env: Environment, names: readonly string[], problems: string[]): string {
  const name = names.find((one) => env[one])
  if (name === undefined) return ''
  const text = env[name] ?? ''
  // As with curl, a URL without a scheme is an HTTP proxy.
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (URL.canParse(url) && /^(?:https?|socks5?):$/.test(new URL(url).protocol)) return url
  problems.push(`${name}: expected the URL of a proxy such as http://proxy.example.org:3128`)
  return ''
}

/** Given authorities would replace those of Node.js, so all three kinds are combined. */
function readAuthorities(env: Environment, caFile: string, problems: string[]): readonly string[] | undefined {
  const extra = env['NODE_EXTRA_CA_CERTS']
  try {
    const own = readFileSync(caFile, 'utf8')
    if (!own.includes('-----BEGIN CERTIFICATE-----')) {
      problems.push(`--ca-file: ${caFile} contains no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
    }
    return [...rootCertificates, ...(extra ? [readFileSync(extra, 'utf8')] : []), own]
  } catch (error) {
    problems.push(`--ca-file: the file cannot be read: ${messageOf(error)}`)
    return undefined
  }
}
