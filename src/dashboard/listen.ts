import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { createServer } from 'node:http'
import { bind, type BindOptions } from './bind.ts'

/** A server that answers. */
export interface Listening {
  readonly port: number
  /** Ends it, open requests included. */
  close(): Promise<void>
}

/** What a browser or a tunnel may hold open at a time. */
const MOST_CONNECTIONS = 1_000
const HEADERS_MS = 10_000
const REQUEST_MS = 60_000

/** Listens as `bind` does, and answers. */
export async function listen(makeApp: (port: number) => Hono, options: BindOptions): Promise<Listening> {
  const server = createServer()
  server.maxConnections = MOST_CONNECTIONS
  server.headersTimeout = HEADERS_MS
  server.requestTimeout = REQUEST_MS
  const bound = await bind(server, options)
  const app = makeApp(bound)
  const answer = getRequestListener((request, env) => app.fetch(request, env), { overrideGlobalObjects: false })
  server.on('request', (incoming, outgoing) => void answer(incoming, outgoing))
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
