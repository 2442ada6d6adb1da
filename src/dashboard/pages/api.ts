import type { ItemLine, Outcome } from '../api/schemas.ts'

/** What a request was refused with, for people. */
class Refused extends Error {
  readonly advice: string | undefined
  readonly status: number

  constructor(message: string, advice: string | undefined, status: number) {
    super(message)
    this.advice = advice
    this.status = status
  }
}

const listeners = new Set<() => void>()

/** Calls `listener` whenever an answer says that nobody is signed in any more. */
export function onSignedOut(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Reads. The answer is that of our own server, whose schemas give its type. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(await fetch(path, { headers: { Accept: 'application/json' }, ...(signal && { signal }) }))
}

export async function send<T>(
  method: 'POST' | 'DELETE',
  path: string,
  body: unknown = {},
  more: Pick<RequestInit, 'signal' | 'keepalive'> = {},
): Promise<T> {
  const headers = { 'Content-Type': 'application/json' }
  return answerOf<T>(await fetch(path, { method, headers, body: JSON.stringify(body), ...more }))
}

/** Does something. @returns what was done, for people */
export async function post(path: string, body: unknown = {}): Promise<string> {
  return (await send<Outcome>('POST', path, body)).text
}

async function answerOf<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T
  throw await refusedOf(response)
}

async function refusedOf(response: Response): Promise<Refused> {
  const { status } = response
  if (status === 401) for (const listener of listeners) listener()
  const body: unknown = await response.json().catch(() => undefined)
  const error = field(body, 'error')
  const message = field(error, 'message')
  const advice = field(error, 'advice')
  return new Refused(
    typeof message === 'string' ? message : `The server answered ${status}.`,
    typeof advice === 'string' ? advice : undefined,
    status,
  )
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** Lines of JSON as they come; leaving the loop ends the request. */
export async function* lines(path: string, signal: AbortSignal): AsyncGenerator<ItemLine> {
  const response = await fetch(path, { signal })
  if (!response.ok || !response.body) throw await refusedOf(response)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const parts = (rest + value).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) yield JSON.parse(part) as ItemLine
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** A sentence for whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof Refused) return error.advice === undefined ? error.message : `${error.message} ${error.advice}`
  if (error instanceof TypeError) return 'The dashboard cannot be reached.'
  return error instanceof Error ? error.message : String(error)
}
