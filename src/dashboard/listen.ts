import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { createServer } from 'node:http'
import { DataferryError, systemCode } from '../errors.ts'

/** A server that answers. */
export interface Listening {
  readonly port: number
  /** Ends it, open requests included. */
  close(): Promise<void>
}

/** Ports that are tried after the one that is taken. */
const FURTHER = 20
/** What a browser or a tunnel may hold open at a time. */
const MOST_CONNECTIONS = 1_000
const HEADERS_MS = 10_000
const REQUEST_MS = 60_000

/**
 * Listens on a port, or on the next one that is free. Rejects with `ARGUMENT_INVALID` when none is, or the interface is not of this
 * machine.
 * @param exact take this port or none
 */
export async function listen(
  makeApp: (port: number) => Hono,
  { host, port, exact }: { readonly host: string; readonly port: number; readonly exact: boolean },
): Promise<Listening> {
  const last = exact || port === 0 ? port : Math.min(65_535, port + FURTHER)
  for (let at = port; ; at++) {
    try {
      return await listenOn(makeApp, host, at)
    } catch (error) {
      const code = systemCode(error)
      if (code === 'EADDRINUSE' && at < last) continue
      if (code === 'EADDRINUSE') {
        const taken = last === port ? `Port ${port} of ${host} is` : `Ports ${port} to ${last} of ${host} are`
        throw invalid(`${taken} taken: give another one.`)
      }
      if (code === 'EACCES')
        throw invalid(`Port ${at} is only for the administrator of this machine: give one from 1024 on.`)
      if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
        throw invalid(`${host} is no address of this machine: see --host.`)
      throw error
    }
  }
}

async function listenOn(makeApp: (port: number) => Hono, host: string, port: number): Promise<Listening> {
  const server = createServer()
  server.maxConnections = MOST_CONNECTIONS
  server.headersTimeout = HEADERS_MS
  server.requestTimeout = REQUEST_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
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

function invalid(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
