import type { IncomingMessage, ServerResponse } from 'node:http'
import { readBody } from './call.ts'
import { faultSchema } from './faults.ts'
import { parseJson } from './guestbook.ts'
import type { StandIn } from './server.ts'
import { settingsSchema } from './settings.ts'

/**
 * `/__control`: what tests in other processes use.
 * `GET requests?after=<seq>`, `GET counters/{file}`, `GET guestbook-records`, `GET totals`, `GET settings`;
 * `POST settings` (a part of them), `POST faults` (one or a list), `DELETE faults`, `DELETE requests`.
 */
export async function control(message: IncomingMessage, response: ServerResponse, standIn: StandIn): Promise<void> {
  const body = await readBody(message)
  let status = 200
  let answer: unknown
  try {
    answer = act(`${message.method ?? 'GET'} ${(message.url ?? '').slice('/__control/'.length)}`, body, standIn)
    if (answer === undefined) status = 404
  } catch (error) {
    status = 400
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(answer ?? {}))
}

function act(action: string, body: string, standIn: StandIn): unknown {
  const { records } = standIn
  const [name = '', query = ''] = action.split('?')
  if (name.startsWith('GET counters/')) return records.file(Number(name.slice('GET counters/'.length)))
  switch (name) {
    case 'GET requests':
      return records.list(Number(new URLSearchParams(query).get('after') ?? 0))
    case 'GET guestbook-records':
      return standIn.guestbookRecords
    case 'GET totals':
      return { requests: records.total, leaks: records.leaks, rss: process.memoryUsage().rss }
    case 'GET settings':
      return standIn.settings
    case 'POST settings':
      standIn.set(settingsSchema.partial().parse(parseJson(body)))
      return standIn.settings
    case 'POST faults':
      for (const fault of [parseJson(body)].flat()) standIn.fault(faultSchema.parse(fault))
      return { ok: true }
    case 'DELETE faults':
      standIn.clearFaults()
      return { ok: true }
    case 'DELETE requests':
      records.clear()
      return { ok: true }
    default:
      return undefined
  }
}
