import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'

interface Received {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface Receiver extends AsyncDisposable {
  readonly url: string
  /** Requests or mails, whether they were taken or not. */
  readonly received: readonly Received[]
}

/** A webhook receiver. @param answers statuses, one a request; 200 once they are used up */
export async function startReceiver(answers: readonly number[] = []): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.statusCode = answers[received.length] ?? 200
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      response.end('heard')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server.address())}/hook/path-secret`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A mail server that takes everything, without TLS. @param refusals mails that it refuses first */
export async function startMailServer(refusals = 0): Promise<Receiver> {
  const received: Received[] = []
  const server = createTcpServer((socket) => {
    let isData = false
    let text = ''
    socket.setEncoding('utf8').on('error', () => undefined)
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    say('220 test ESMTP')
    let rest = ''
    socket.on('data', (chunk: string) => {
      rest += chunk
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end)
        rest = rest.slice(end + 2)
        if (isData && line === '.') {
          isData = false
          received.push({ headers: {}, body: text })
          text = ''
          say(received.length <= refusals ? '451 later' : '250 taken')
        } else if (isData) text += `${line}\n`
        else if (/^EHLO/i.test(line)) say('250 test')
        else if (/^DATA/i.test(line)) {
          isData = true
          say('354 go on')
        } else if (/^STARTTLS/i.test(line)) say('502 no')
        else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n')
        else say('250 ok')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `smtp://127.0.0.1:${portOf(server.address())}`,
    received,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('It does not listen on a port.')
  return address.port
}
