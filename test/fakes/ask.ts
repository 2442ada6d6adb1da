import { request } from 'node:http'
import type { Agent, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  /** The words behind it. */
  readonly statusText: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  /** The message ended properly: not cut. */
  readonly complete: boolean
}

export interface Asking {
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  /** Keeps connections; default: a connection of its own. */
  readonly agent?: Agent
  /** Breaks off once so many bytes are there. */
  readonly stopAfter?: number
}

/** One request; follows no redirect. Rejects when no answer comes at all. */
export function ask(
  url: string,
  { method = 'GET', headers = {}, body, agent, stopAfter = Infinity }: Asking = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, headers, agent: agent ?? false }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length >= stopAfter) response.destroy()
      })
      // A broken connection emits an error first; what matters here is that it is over.
      response.on('error', () => undefined)
      response.on('close', () => {
        const whole = Buffer.concat(chunks)
        const { statusCode = 0, statusMessage = '', headers, complete } = response
        resolve({
          status: statusCode,
          statusText: statusMessage,
          headers,
          body: whole,
          text: whole.toString(),
          complete,
        })
      })
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

/** A member deep inside an answer's JSON: `at(answer, 'data', 0, 'dataFile', 'id')`. */
export function at(answer: Answer, ...path: readonly (string | number)[]): unknown {
  let value: unknown = JSON.parse(answer.text)
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Object.entries(value).find(([name]) => name === String(step))?.[1]
  }
  return value
}

/** The length of a list inside an answer's JSON. */
export function count(answer: Answer, ...path: readonly (string | number)[]): number {
  const list = at(answer, ...path)
  return Array.isArray(list) ? list.length : -1
}
