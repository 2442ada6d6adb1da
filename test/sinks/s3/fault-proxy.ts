import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'

/** - a number: that status, without asking the store · `reset`: broken off in the middle · `lost`: done, but the answer does not come */
export type Fault = 403 | 500 | 503 | 'reset' | 'lost'

interface FaultRule {
  readonly fault: Fault
  /** E.g. `/PUT .*partNumber=2/`, matched with method and URL. */
  readonly when: RegExp
  /** How many matching requests it hits. Default 1. */
  readonly times?: number
}

/** A plain HTTP proxy in front of an S3 server that does harm as it is told. Signatures stay good, as `Host` is passed on. */
export interface FaultProxy extends AsyncDisposable {
  readonly endpoint: string
  /** Method and URL of every request that came. */
  readonly requests: readonly string[]
  /** Faults that hit. */
  readonly hits: number
  add(rule: FaultRule): void
}

const BODIES: Readonly<Record<403 | 500 | 503, string>> = {
  403: '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No write for you,\u001b[31m AKIAABCDEFGHIJKLMNOP.</Message></Error>',
  500: '<?xml version="1.0"?><Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>',
  503: '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
}

export async function faultProxy(target: string): Promise<FaultProxy> {
  const rules: { rule: FaultRule; left: number }[] = []
  const requests: string[] = []
  let hits = 0
  const server = createServer((incoming, answer) => {
    const line = `${incoming.method ?? ''} ${incoming.url ?? ''}`
    requests.push(line)
    const hit = rules.find(({ rule, left }) => left > 0 && rule.when.test(line))
    if (hit) {
      hit.left--
      hits++
    }
    // Connections that we break ourselves are what this is for.
    serve(target, incoming, answer, hit?.rule.fault).catch(() => incoming.socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    get hits() {
      return hits
    },
    add: (rule) => void rules.push({ rule, left: rule.times ?? 1 }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function serve(
  target: string,
  incoming: IncomingMessage,
  answer: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault === 'reset') {
    await once(incoming, 'readable')
    incoming.socket.destroy()
    return
  }
  const body: Buffer[] = []
  for await (const chunk of incoming) if (Buffer.isBuffer(chunk)) body.push(chunk)
  if (typeof fault === 'number') {
    answer.writeHead(fault, { 'content-type': 'application/xml' }).end(BODIES[fault])
    return
  }
  const outgoing = request(target + (incoming.url ?? ''), { method: incoming.method, headers: incoming.headers })
  outgoing.end(Buffer.concat(body))
  const [reply] = (await once(outgoing, 'response')) as [IncomingMessage]
  if (fault === 'lost') {
    reply.resume()
    await once(reply, 'end')
    incoming.socket.destroy()
    return
  }
  answer.writeHead(reply.statusCode ?? 502, reply.headers)
  reply.pipe(answer)
}
