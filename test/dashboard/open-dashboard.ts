import { request, type IncomingHttpHeaders } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInProcess } from '../cli/in-process.ts'
import { Recorder } from '../cli/recorder.ts'
import type { TestRedis } from '../redis.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: () => unknown
}

interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A dashboard as its command opens it, in this process. */
export interface OpenedDashboard extends AsyncDisposable {
  readonly url: string
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  /** Sends exactly what is given: no header is added but Host. */
  ask(path: string, asked?: Asked): Promise<Answer>
  /** Writes as a page of ours does. */
  write(path: string, body: unknown, headers?: Readonly<Record<string, string>>, method?: string): Promise<Answer>
  /** The token of a new link. */
  link(...flags: string[]): Promise<string>
  /** The cookie of somebody who opened a new link. */
  signIn(...flags: string[]): Promise<{ readonly cookie: string }>
}

/** @param port 0: any; it says itself which */
export async function openTestDashboard(
  redis: TestRedis,
  args: readonly string[] = [],
  port = 0,
): Promise<OpenedDashboard> {
  const folder = await mkdtemp(join(tmpdir(), 'df-board-'))
  const env = { REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix, HOME: folder }
  const stop = new AbortController()
  const stdout = new Recorder()
  const words = ['dashboard', '--port', String(port), '--json', ...args]
  const ended = runInProcess(words, { cwd: folder, env, signal: stop.signal, stdout })
  const early = ended.then(({ code, stderr }) => {
    throw new Error(`the dashboard ended with ${code}: ${stderr}`)
  })
  early.catch(() => undefined)
  const told = await Promise.race([early, firstUrl(stdout)])
  const url = port === 0 ? told : `http://127.0.0.1:${port}`
  const ask = (path: string, asked: Asked = {}): Promise<Answer> => askAt(url, path, asked)
  const write: OpenedDashboard['write'] = (path, body, headers = {}, method = 'POST') => {
    const ours = { Origin: url, 'Content-Type': 'application/json' }
    const text = JSON.stringify(body)
    // For DELETE, Node.js says no length by itself.
    const length = { 'Content-Length': String(Buffer.byteLength(text)) }
    return ask(path, { method, headers: { ...ours, ...length, ...headers }, body: text })
  }
  const link = async (...flags: string[]): Promise<string> => {
    const {
      code,
      stdout: printed,
      stderr,
    } = await runInProcess(['dashboard', 'link', '--json', ...flags], { cwd: folder, env })
    const token = /#([\w-]+)"/.exec(printed)?.[1]
    if (code !== 0 || token === undefined) throw new Error(`no link: ${printed}${stderr}`)
    return token
  }
  return {
    url,
    folder,
    env,
    ask,
    write,
    link,
    async signIn(...flags) {
      const { headers, status, text } = await write('/api/session', { token: await link(...flags) })
      const cookie = headers['set-cookie']?.[0]?.split(';')[0]
      if (cookie === undefined) throw new Error(`not signed in: ${status} ${text}`)
      return { cookie }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function firstUrl(stdout: Recorder): Promise<string> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      const url = /"url":"([^"]+)"/.exec(stdout.text)?.[1]
      if (url === undefined) return
      clearInterval(look)
      resolve(url)
    }, 20)
  })
}

function askAt(base: string, path: string, { method = 'GET', headers = {}, body }: Asked): Promise<Answer> {
  const { hostname, port, host } = new URL(base)
  return new Promise((resolve, reject) => {
    const sent = request(
      // An IPv6 address has brackets in a URL only.
      {
        hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
        port,
        path,
        method,
        agent: false,
        headers: { Host: host, ...headers },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text) as unknown,
          })
        })
      },
    )
    sent.on('error', reject)
    // What was refused before it was sent whole breaks off, perhaps after its answer.
    sent.on('socket', (socket) => socket.on('error', reject))
    sent.end(body)
  })
}
