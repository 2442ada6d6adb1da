import type { Context } from 'hono'
import { stream } from 'hono/streaming'
import { isAbort } from '../../errors.ts'
import { visibleJson } from '../../model/visible-text.ts'
import { refusalOf } from '../refusal.ts'

/**
 * Sends what comes, as it comes: bytes as they are, anything else as a line of JSON. A problem on the way is the last line.
 * @param gone aborts when the request has ended
 * @param begin gives what is to be sent, and ends it when its signal aborts
 */
export function linesAnswer(
  context: Context,
  gone: AbortSignal,
  begin: (stop: AbortSignal) => AsyncIterable<unknown>,
  headers: Readonly<Record<string, string>> = { 'Content-Type': 'application/x-ndjson; charset=utf-8' },
): Response {
  for (const [name, value] of Object.entries(headers)) context.header(name, value)
  return stream(context, async (out) => {
    const left = new AbortController()
    out.onAbort(() => left.abort())
    const stop = AbortSignal.any([gone, left.signal])
    try {
      for await (const one of begin(stop)) {
        if (stop.aborted) return
        await out.write(one instanceof Uint8Array ? one : jsonLine(one))
      }
    } catch (error) {
      if (!stop.aborted && !isAbort(error)) await out.write(jsonLine({ error: refusalOf(error) }))
    }
  })
}

function jsonLine(value: unknown): string {
  return `${visibleJson(JSON.stringify(value))}\n`
}
