import { lookAtServer, type Look } from '../dataverse/look-at-server.ts'
import { DataferryError } from '../errors.ts'
import type { Context } from './command.ts'
import { clientOptions, httpFor } from './sources.ts'

/** A server slower than this is passed over here: later steps wait for it. */
const PATIENCE_MS = 10_000

/**
 * Checks each server of a new batch once. Rejects with `CONFIG_INVALID` when a URL is not that of an
 * installation, with the right URL where one is found. A server that is away is no reason to stop.
 */
export async function lookAtServers(
  context: Pick<Context, 'config' | 'log' | 'signal'>,
  servers: Iterable<string>,
): Promise<void> {
  const { config, signal } = context
  const http = httpFor(context, 2, { headersMs: PATIENCE_MS })
  try {
    for (const server of servers) {
      const patience = AbortSignal.timeout(PATIENCE_MS)
      const visitor = { ...clientOptions(config), http }
      const look = await lookAtServer(server, visitor, AbortSignal.any([signal, patience])).catch((error: unknown) => {
        signal.throwIfAborted()
        if (error === patience.reason) return undefined
        throw error
      })
      const problem = look && problemOf(server, look)
      if (problem !== undefined) throw new DataferryError('CONFIG_INVALID', problem, { advice: ADVICE })
    }
  } finally {
    await http.close()
  }
}

const ADVICE = 'The URL of an installation is what a browser shows before /dataset.xhtml or /dataverse/….'

function problemOf(server: string, look: Look): string | undefined {
  switch (look.kind) {
    case 'fine':
      return undefined
    case 'elsewhere':
      return look.redirected
        ? `${server} redirects to ${look.address}, where your token would not be sent: use --server ${look.address}.`
        : `${server} is a page of the installation ${look.address}: use --server ${look.address}.`
    case 'nothing':
      return `${server} is not a Dataverse installation: ${look.why}.`
  }
}
