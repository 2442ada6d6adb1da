import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { generated, joined, toBuffer } from './content.ts'
import type { Content } from './content.ts'
import type { FaultStep } from './faults.ts'
import { EMPTY, html, json, noPhysicalFile } from './reply.ts'
import type { Reply } from './reply.ts'
import { send } from './send.ts'
import type { Sending } from './send.ts'
import type { Settings } from './settings.ts'
import { spoiledArchive } from './zip-faults.ts'

/** Answers that stand for the server's own: from in front of it, or because its storage is away. */
export function frontAnswer(step: FaultStep, file: number | undefined): Reply | undefined {
  if (step.kind === 'no-object') return noPhysicalFile(file ?? 0)
  if (step.kind !== 'status') return undefined
  const retryAfter: Record<string, string> = step.retryAfter === undefined ? {} : { 'Retry-After': step.retryAfter }
  const made =
    step.body === 'html'
      ? html(step.status, step.status === 200 ? 'Log in' : 'Service unavailable')
      : step.body === 'empty'
        ? { status: step.status, headers: {}, body: EMPTY }
        : json(step.status, {
            status: 'ERROR',
            message: step.status === 429 ? 'Rate limited due to too many requests.' : 'Scripted fault.',
          })
  return { ...made, headers: { ...made.headers, ...retryAfter, ...step.headers } }
}

/** Whether a step needs a body to spoil; on an answer without one it waits for the next request. */
export function needsBody(step: FaultStep): boolean {
  return !['fine', 'status', 'reset', 'no-object'].includes(step.kind)
}

/** Whether an answer carries a file's bytes. */
export function carriesBytes(reply: Reply): boolean {
  return (reply.status === 200 || reply.status === 206) && (reply.body.kind !== 'bytes' || isArchive(reply))
}

function isArchive({ headers }: Reply): boolean {
  return headers['Content-Type']?.startsWith('application/zip') ?? false
}

/** The answer as a step makes it. */
export function spoiled(reply: Reply, step: FaultStep | undefined): Reply {
  const { body } = reply
  if (step && isArchive(reply) && body.kind !== 'part') {
    const chunks = spoiledArchive(body.kind === 'stream' ? body.chunks : (body.pieces ?? [body.data]), step)
    return chunks ? { ...reply, body: { kind: 'stream', chunks } } : reply
  }
  if (!step || body.kind !== 'part') return reply
  switch (step.kind) {
    case 'ignore-range': {
      const headers = Object.fromEntries(
        Object.entries(reply.headers).filter(([name]) => !/^(content|accept)-ranges?$/i.test(name)),
      )
      return { ...reply, status: 200, headers, body: { ...body, from: 0, to: body.content.size } }
    }
    case 'wrong-range': {
      const from = Math.min(body.from + step.shift, body.to - 1)
      const contentRange = `bytes ${from}-${body.to - 1}/${body.content.size}`
      const status = reply.status === 200 ? 206 : reply.status
      return { ...reply, status, headers: { ...reply.headers, 'Content-Range': contentRange }, body: { ...body, from } }
    }
    case 'flip': {
      if (body.to === body.from) return reply
      const at = Math.min(body.to - 1, body.from + (step.at ?? Math.floor((body.to - body.from) / 2)))
      return { ...reply, body: { ...body, content: flipped(body.content, at) } }
    }
    case 'gzip': {
      const headers = { ...reply.headers, 'Content-Encoding': 'gzip' }
      if (!step.compress) return { ...reply, headers }
      const chunks = Readable.from([gzipSync(toBuffer(body.content))])
      return { ...reply, status: 200, headers, body: { kind: 'stream', chunks } }
    }
    case 'longer':
    case 'size-changed': {
      const content = joined(body.content, generated(step.by, 1))
      const total = step.kind === 'size-changed' ? content.size : body.content.size
      const contentRange = `bytes ${body.from}-${body.to + step.by - 1}/${total}`
      const headers = reply.status === 206 ? { ...reply.headers, 'Content-Range': contentRange } : reply.headers
      return { ...reply, headers, body: { ...body, content, to: body.to + step.by } }
    }
    default:
      return reply
  }
}

function flipped(content: Content, at: number): Content {
  return {
    ...content,
    key: undefined,
    *chunks(from, to) {
      let position = from
      for (const chunk of content.chunks(from, to)) {
        if (at >= position && at < position + chunk.length) {
          const copy = Buffer.from(chunk)
          copy[at - position] = (copy[at - position] ?? 0) ^ 1
          yield copy
        } else yield chunk
        position += chunk.length
      }
    },
  }
}

const TICK_MS = 20

/** How the answer goes out, by script and by settings. `own`: from Dataverse itself and not from the storage host. */
export function sendingOf(
  reply: Reply,
  step: FaultStep | undefined,
  {
    settings,
    own,
    sent,
  }: { readonly settings: Settings; readonly own: boolean; readonly sent: (bytes: number) => void },
): Sending {
  const spoil = step && carriesBytes(reply) ? step : undefined
  const cutAfter =
    spoil?.kind === 'cut'
      ? spoil.after
      : own && settings.cutAfterBytes > 0 && carriesBytes(reply)
        ? settings.cutAfterBytes
        : undefined
  const paced = settings.bytesPerSecond > 0 && carriesBytes(reply)
  const pace = paced
    ? { bytes: Math.max(1, Math.floor((settings.bytesPerSecond * TICK_MS) / 1000)), everyMs: TICK_MS }
    : undefined
  const drip = spoil?.kind === 'drip' ? spoil : pace
  const unmeasured = settings.stripContentLength && own && carriesBytes(reply)
  return {
    reply,
    delivered: () => reply.delivered?.(),
    withLength: reply.status !== 303 && !unmeasured && spoil?.kind !== 'early-end' && spoil?.kind !== 'no-length',
    sent,
    ...(cutAfter !== undefined && { cutAfter }),
    ...(spoil?.kind === 'stall' && { stallAfter: spoil.after }),
    ...(spoil?.kind === 'early-end' && spoil.after !== undefined && { endAfter: spoil.after }),
    ...(drip && { drip }),
  }
}

/** Sends, within the application server's request timeout. */
export async function sendWithin(
  message: IncomingMessage,
  response: ServerResponse,
  sending: Sending,
  timeoutMs: number,
): Promise<void> {
  const sent = send(response, sending, message.method === 'HEAD')
  if (timeoutMs === 0) return sent
  const over = new AbortController()
  const late = wait(timeoutMs, undefined, { signal: over.signal }).then(
    () => response.socket?.destroy(),
    () => undefined,
  )
  await sent
  over.abort()
  await late
}
