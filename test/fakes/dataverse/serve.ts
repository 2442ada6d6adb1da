import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { identify } from './auth.ts'
import { readCall } from './call.ts'
import type { Call } from './call.ts'
import type { Dice } from './chaos.ts'
import type { Connections } from './connections.ts'
import type { Context } from './context.ts'
import { carriesBytes, frontAnswer, needsBody, sendingOf, sendWithin, spoiled } from './exchange.ts'
import type { FaultScript, TakenStep } from './faults.ts'
import { findDataFile } from './lookup.ts'
import type { Records, RequestRecord } from './records.ts'
import { html } from './reply.ts'
import type { Reply } from './reply.ts'
import { answer } from './router.ts'
import { answerStorage } from './storage.ts'

/** What both servers work with. */
export interface Running {
  readonly context: Context
  readonly records: Records
  readonly script: FaultScript
  readonly dice: Dice
  readonly connections: Connections
}

/** A listener out of a promise: a bug of the stand-in shows as a broken connection and an unhandled rejection. */
export function listener(
  serve: (message: IncomingMessage, response: ServerResponse) => Promise<void>,
): RequestListener {
  return (message, response) => {
    serve(message, response).catch((error: unknown) => {
      response.destroy()
      throw error
    })
  }
}

/** One request to Dataverse. */
export async function serveDataverse(
  message: IncomingMessage,
  response: ServerResponse,
  running: Running,
): Promise<void> {
  const { context } = running
  const call = readCall(message, context.url)
  const file = call && requestedFile(call, context)
  const record = recordOf(message, 'dataverse', file, running)
  const make = async (): Promise<Reply> => {
    if (!call || context.settings.deploying) return html(404, 'Payara Server - Error report')
    const count = (counted: number): void => running.records.count(record, counted)
    return own(await answer(() => ({ ...identify(call, context), count }), call, context), call)
  }
  response.sendDate = false
  await exchange(message, response, { running, record, make })
}

/** One request to the storage host; counts credentials that should not have come. */
export async function serveStorage(
  message: IncomingMessage,
  response: ServerResponse,
  running: Running,
): Promise<void> {
  const id = Number.parseInt(/\/(\d+)(?:\.orig)?\?/.exec(message.url ?? '')?.[1] ?? '', 10)
  const record = recordOf(message, 'storage', Number.isNaN(id) ? undefined : id, running)
  if (record.hasToken) running.records.leaks += 1
  await exchange(message, response, {
    running,
    record,
    make: () => Promise.resolve(answerStorage(message, running.context)),
  })
}

/** What the application server adds to every answer of the API: binaries have a character set, too. */
function own(reply: Reply, call: Call): Reply {
  const type = reply.headers['Content-Type']
  const session = call.segments[0] === 'access' ? { 'Set-Cookie': 'JSESSIONID=5a1f0d; Path=/; HttpOnly' } : {}
  const typed = type === undefined ? {} : { 'Content-Type': `${type};charset=UTF-8` }
  return { ...reply, headers: { ...reply.headers, ...typed, ...session } }
}

/** The file whose bytes a request is for, if it is for one. */
function requestedFile(call: Call, context: Context): number | undefined {
  const [access, datafile, ...rest] = call.segments
  if (access !== 'access' || datafile !== 'datafile') return undefined
  return findDataFile(call, rest, context)?.id
}

function recordOf(
  message: IncomingMessage,
  origin: RequestRecord['origin'],
  file: number | undefined,
  { records, context }: Running,
): RequestRecord {
  const { headers, method = 'GET', url = '/' } = message
  const inHeader = headers['x-dataverse-key'] !== undefined || headers.authorization !== undefined
  return records.start({
    origin,
    method,
    url,
    file,
    range: headers.range,
    userAgent: headers['user-agent'],
    acceptEncoding: headers['accept-encoding'],
    hasToken: inHeader || /[?&](key|token)=/.test(url),
    at: context.clock(),
  })
}

interface Exchange {
  readonly running: Running
  readonly record: RequestRecord
  readonly make: () => Promise<Reply>
}

/** One request: script in front, the answer, the script's work on it, and the sending. */
async function exchange(
  message: IncomingMessage,
  response: ServerResponse,
  { running, record, make }: Exchange,
): Promise<void> {
  const { context, records, script, connections } = running
  const { settings } = context
  response.on('close', () => (record.ended = true))
  if (settings.latencyMs > 0) await wait(settings.latencyMs)
  const taken = script.take(record) ?? rolled(running, record)
  if (taken?.step.kind === 'reset') {
    message.socket.resetAndDestroy()
    return
  }
  const front = taken && frontAnswer(taken.step, record.file)
  const made = front ?? (await make())
  const step = usable(taken, made)
  const reply = spoiled(made, step)
  record.status = reply.status
  if (connections.endsWith(message.socket, reply.status)) response.setHeader('Connection', 'close')
  const sent = (bytes: number): void => records.sent(record, bytes)
  const sending = sendingOf(reply, step, { settings, own: record.origin === 'dataverse', sent })
  await sendWithin(message, response, sending, record.origin === 'dataverse' ? settings.requestTimeoutMs : 0)
}

function rolled({ context, dice }: Running, record: RequestRecord): TakenStep | undefined {
  const { chaos } = context.settings
  const step = chaos && record.file !== undefined ? dice.roll(chaos, record.file) : undefined
  return step && { step, putBack: () => undefined }
}

/** A step that spoils bytes goes back when the answer has none, such as a redirect. */
function usable(taken: TakenStep | undefined, reply: Reply): TakenStep['step'] | undefined {
  if (!taken || !needsBody(taken.step) || carriesBytes(reply)) return taken?.step
  taken.putBack()
  return undefined
}
