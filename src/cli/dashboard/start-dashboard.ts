import { readFileSync } from 'node:fs'
import { othersMayRead } from '../../config/tokens.ts'
import { openDashboard, type Dashboard } from '../../dashboard/dashboard.ts'
import type { Role } from '../../dashboard/roles.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import { destinationUrl } from '../../sinks/open-sink.ts'
import type { Context } from '../command.ts'
import { commandEnvironment } from '../supervision.ts'
import type { Runtime } from '../runtime.ts'
import { ChildCommands } from './child-commands.ts'
import { observeDeps } from './observe-deps.ts'
import { operationsOf } from './operations.ts'
import { readPort } from './read-port.ts'

const PORT = 8686
const SHORTEST_TOKEN = 16
const LONGEST_TOKEN = 200

/**
 * Opens the dashboard that a command line asks for. Rejects with `ARGUMENT_INVALID`.
 * @param pages folder of the built pages, where it is not beside the program
 */
export async function startDashboard(context: Context, runtime: Runtime, pages?: string): Promise<Dashboard> {
  const { config, text, texts } = context
  const { jobs, prefix, stateDir } = config.settings
  const port = text('port')
  const children = new ChildCommands(context.log, commandEnvironment(context.config))
  const allowed = texts('to').map((shown) => ({ shown, url: destinationUrl(shown, process.cwd()) }))
  const dashboard = await openDashboard(
    {
      ...observeDeps(context, runtime),
      operations: operationsOf(context, runtime, children, allowed),
    },
    {
      host: text('host') ?? '127.0.0.1',
      port: port === undefined ? PORT : readPort('port', port),
      exactPort: port !== undefined && port !== '0',
      origins: texts('origin').map(readOrigin),
      tokens: {
        ...readToken('viewer', text('viewer-token-file')),
        ...readToken('operator', text('operator-token-file')),
      },
      destinations: allowed,
      servers: config.servers,
      usualLimit: jobs,
      prefix,
      stateDir,
      ...(pages !== undefined && { pages }),
    },
  )
  return {
    ...dashboard,
    async close() {
      await dashboard.close()
      await children.close()
    },
  }
}

function readOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.hash && !url.username) {
    return url.origin
  }
  throw new DataferryError(
    'ARGUMENT_INVALID',
    '--origin must be an address such as https://data.example.edu, without a path.',
  )
}

function readToken(role: Role, file: string | undefined): Partial<Record<Role, string>> {
  if (file === undefined) return {}
  const flag = `--${role}-token-file`
  let token: string
  try {
    token = readFileSync(file, 'utf8')
      .slice(0, LONGEST_TOKEN + 2)
      .trim()
    if (othersMayRead(file)) throw new Error('other users can read it; run chmod 600 on it')
  } catch (error) {
    throw new DataferryError('CONFIG_INVALID', `${flag}: ${file} cannot be used: ${messageOf(error)}.`)
  }
  if (/^[!-~]+$/.test(token) && token.length >= SHORTEST_TOKEN && token.length <= LONGEST_TOKEN)
    return { [role]: token }
  const form = `${SHORTEST_TOKEN} to ${LONGEST_TOKEN} visible ASCII characters`
  throw new DataferryError(
    'CONFIG_INVALID',
    `${flag}: ${file} must hold one token of ${form}, such as openssl rand -hex 32 prints.`,
  )
}
