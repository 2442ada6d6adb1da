import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { othersMayRead } from '../../config/tokens.ts'
import { bind, type BindOptions } from '../../dashboard/bind.ts'
import { interfaceOf, isLoopback } from '../../dashboard/reach.ts'
import type { Role } from '../../dashboard/roles.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import type { Context } from '../command.ts'
import { readPort } from './read-port.ts'

const PORT = 8686
const SHORTEST_TOKEN = 16
const LONGEST_TOKEN = 200

/** Where a dashboard listens, and who may use it. */
interface ReachOptions extends BindOptions {
  readonly origins: readonly string[]
  readonly tokens: Readonly<Partial<Record<Role, string>>>
}

/** Reads the flags. Throws `ARGUMENT_INVALID` and `CONFIG_INVALID`. */
export function readReach({ text, texts }: Pick<Context, 'text' | 'texts'>): ReachOptions {
  const host = readHost(text('host') ?? '127.0.0.1')
  const port = text('port')
  const tokens = {
    ...readToken('viewer', text('viewer-token-file')),
    ...readToken('operator', text('operator-token-file')),
  }
  if (!isLoopback(host) && Object.keys(tokens).length === 0) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `Without a token everybody who reaches ${host} would be asked for one that nobody has: give --viewer-token-file or --operator-token-file, or listen on 127.0.0.1.`,
    )
  }
  return {
    host,
    port: port === undefined ? PORT : readPort('port', port),
    exact: port !== undefined && port !== '0',
    origins: texts('origin').map(readOrigin),
    tokens,
  }
}

/** Whether a dashboard could be opened now: `serve` starts nothing otherwise. Rejects as opening it would. */
export async function checkReach(context: Pick<Context, 'text' | 'texts'>): Promise<void> {
  const server = createServer()
  await bind(server, readReach(context))
  server.close()
  await once(server, 'close')
}

function readHost(text: string): string {
  const host = interfaceOf(text)
  if (host !== undefined) return host
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `--host must be an address or a name of this machine, or 0.0.0.0 for all, not ${JSON.stringify(text)}.`,
  )
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
