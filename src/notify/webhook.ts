import { createHash, createHmac } from 'node:crypto'
import { request as httpRequest, type Agent } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { hasProxies, proxyFor, type Proxies } from '../model/proxies.ts'
import type { EventKind, NotifyEvent } from './event.ts'
import type { NotifyTarget } from './target.ts'

export interface WebhookOptions {
  readonly url: string
  /** Signs what is sent. */
  readonly secret: string | undefined
  readonly kinds: readonly EventKind[] | undefined
  readonly proxies: Proxies
  /** Certificate authorities in PEM; undefined: those of Node.js. */
  readonly ca: readonly string[] | undefined
}

const PATIENCE_MS = 30_000

/**
 * A receiver over HTTP. It gets the event as JSON, with `X-Dataferry-Event` (its id, the same at each attempt) and, where there is a
 * secret, `X-Dataferry-Signature: sha256=<hex>`, the HMAC-SHA256 of the body. Any answer of 2xx is a yes; redirects are not followed.
 */
export function webhook({ url, secret, kinds, proxies, ca }: WebhookOptions): NotifyTarget {
  const { origin, protocol } = new URL(url)
  const send = async (event: NotifyEvent, signal: AbortSignal): Promise<void> => {
    const body = JSON.stringify({ v: 1, ...event })
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'dataferry',
      'X-Dataferry-Event': event.id,
      ...(secret !== undefined && { 'X-Dataferry-Signature': signatureOf(body, secret) }),
    }
    const agent = await agentFor(url, proxies)
    const options = { method: 'POST', headers, agent, signal, timeout: PATIENCE_MS, ...(ca && { ca: [...ca] }) }
    await new Promise<void>((resolve, reject) => {
      const asked = (protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (answer) => {
        // The body does not matter: its end does, so that the connection can be left.
        answer.resume()
        const { statusCode = 0 } = answer
        if (statusCode >= 200 && statusCode < 300) resolve()
        else reject(new Error(`it answered with ${statusCode}`))
      })
      asked.once('timeout', () => asked.destroy(new Error(`it has not answered for ${PATIENCE_MS / 1000} s`)))
      asked.once('error', reject)
      asked.end(body)
    })
  }
  // A path may hold a secret.
  return { key: webhookKey(url), name: `the webhook at ${origin}`, kinds, send }
}

/** What a delivery is remembered by. Keys are kept in Redis, and hold no secret. */
export function webhookKey(url: string): string {
  return `webhook ${createHash('sha256').update(url).digest('hex').slice(0, 32)}`
}

function signatureOf(body: string, secret: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
}

/** A proxy for this URL; undefined: none. */
async function agentFor(url: string, proxies: Proxies): Promise<Agent | undefined> {
  if (!hasProxies(proxies) || proxyFor(url, proxies) === undefined) return undefined
  const { ProxyAgent } = await import('proxy-agent')
  return new ProxyAgent({ getProxyForUrl: (one) => proxyFor(one, proxies) ?? '', keepAlive: false })
}
