import { lookAtServer, type Look } from '../dataverse/look-at-server.ts'
import { DataferryError } from '../errors.ts'
import type { Context } from './command.ts'
import { clientOptions, httpFor } from './sources.ts'

/** A server that is slow to answer this is left to those who wait for it. */
const PATIENCE_MS = 10_000

/**
 * Looks once at each server that a new batch is about to ask. Rejects with `CONFIG_INVALID` when an address is not that of an
 * installation, in one sentence, with the right address where that can be found. A server that is away is no reason to stop.
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

const ADVICE = 'The address of an installation is what a browser shows in front of /dataset.xhtml or /dataverse/….'

function problemOf(server: string, look: Look): string | undefined {
  switch (look.kind) {
    case 'fine':
      return undefined
    case 'elsewhere':
      return look.redirected
        ? `${server} sends everybody to ${look.address}, where no token of yours is sent: use --server ${look.address}.`
        : `${server} is an address within the installation ${look.address}: use --server ${look.address}.`
    case 'nothing':
      return `${server} is no Dataverse installation: ${look.why}.`
  }
}
