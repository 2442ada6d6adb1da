import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import { pause } from '../async/pause.ts'
import { untilAborted } from '../async/until-aborted.ts'
import { isAbort, messageOf } from '../errors.ts'
import { visibleJson } from '../model/visible-text.ts'
import { refuse } from './refusal.ts'

/** Streams at once, of all who watch: a page falls back to asking now and then. */
const MOST = 64
/** Between two updates at least. */
const PACE_MS = 1_000
/** Without a change: proof of life, so that nothing in between gives the connection up. */
const QUIET_MS = 15_000
/** Then the page comes again, and with it the question whether it may. */
const LONGEST_MS = 10 * 60_000

/** Server-sent events: the newest state whenever it has changed, at most once a second, and never a backlog. */
export class EventStreams {
  readonly #stop: AbortSignal
  #open = 0

  /** @param stop ends all streams */
  constructor(stop: AbortSignal) {
    this.#stop = stop
  }

  /** @param read the state to show */
  open(context: Context, read: () => Promise<unknown>): Response {
    if (this.#open >= MOST) {
      context.header('Retry-After', '5')
      return refuse(context, 503, 'TOO_MANY_STREAMS', 'Too many pages are watching at once.')
    }
    this.#open++
    const signal = AbortSignal.any([context.req.raw.signal, this.#stop, AbortSignal.timeout(LONGEST_MS)])
    const response = streamSSE(context, async (stream) => {
      const gone = new AbortController()
      stream.onAbort(() => gone.abort())
      const ended = AbortSignal.any([signal, gone.signal])
      try {
        await send(stream, read, ended)
      } catch (error) {
        // Whoever watched has left, or it is time to come again.
        if (!ended.aborted && !isAbort(error)) throw error
      } finally {
        this.#open--
      }
    })
    // Nothing in between may keep events back.
    response.headers.set('X-Accel-Buffering', 'no')
    return response
  }
}

type Stream = Parameters<Parameters<typeof streamSSE>[1]>[0]

async function send(stream: Stream, read: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  let last = ''
  let told = performance.now()
  while (!signal.aborted) {
    const began = performance.now()
    const [event, value] = await read().then(
      (state) => ['state', state] as const,
      (error: unknown) => ['problem', { message: messageOf(error) }] as const,
    )
    const data = visibleJson(JSON.stringify(value))
    if (data !== last || began - told > QUIET_MS) {
      // Waits while the other side does not read, so that nothing piles up here, and not beyond the end.
      await untilAborted(stream.writeSSE(data === last ? { event: 'alive', data: '' } : { event, data }), signal)
      last = data
      told = began
    }
    await pause(Math.max(0, PACE_MS - (performance.now() - began)), signal)
  }
}
