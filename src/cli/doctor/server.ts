import { tokenFor } from '../../config/config.ts'
import { header } from '../../dataverse/http/headers.ts'
import type { Http } from '../../dataverse/http/http.ts'
import { NativeApi } from '../../dataverse/native-api.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import { hasProxies, proxyFor, proxyLabel, type Proxies } from '../../model/proxies.ts'
import { lookAtServers } from '../look-at-servers.ts'
import { clientOptions, httpFor, type Reach } from '../sources.ts'
import type { Finding } from './finding.ts'
import { formatDuration } from '../../model/format.ts'

/** Signed URLs of storage hosts are valid for a minute or more, by the server's clock. */
const CLOCK_TOLERANCE_MS = 60_000
const PATIENCE_MS = 15_000

/** Whether an installation answers, what it runs, whether it accepts the token, and whether its clock agrees with ours. */
export async function checkServer(
  reach: Reach & { readonly signal: AbortSignal },
  server: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { config } = reach
  const http = httpFor(reach, 2, { headersMs: PATIENCE_MS })
  const patience = AbortSignal.any([signal, AbortSignal.timeout(3 * PATIENCE_MS)])
  const client = (apiToken?: string): NativeApi =>
    new NativeApi({ ...clientOptions(config), baseUrl: server, apiToken, http, retries: 0 })
  try {
    const way = wayTo(server, config.network.proxies)
    const reached = await checkVersion(reach, client(), server, patience)
    if (reached.health === 'fail') return [...way, reached]
    const token = tokenFor(config, server)
    return [
      ...way,
      reached,
      await checkToken(client(token), token !== undefined, server, patience),
      await checkClock(http, server, patience),
    ]
  } finally {
    signal.throwIfAborted()
    await http.close()
  }
}

/** Which proxy is in between, if any is set. */
function wayTo(server: string, proxies: Proxies): Finding[] {
  if (!hasProxies(proxies)) return []
  const proxy = proxyFor(server, proxies)
  const message =
    proxy === undefined ? `${server} is reached directly` : `${server} is reached through ${proxyLabel(proxy)}`
  return [{ check: 'Proxy', health: 'ok', message }]
}

async function checkVersion(
  reach: Parameters<typeof lookAtServers>[0],
  api: NativeApi,
  server: string,
  signal: AbortSignal,
): Promise<Finding> {
  const check = 'Server'
  try {
    await lookAtServers(reach, [server])
    return { check, health: 'ok', message: `${server} runs Dataverse ${await api.serverVersion(signal)}` }
  } catch (error) {
    return { check, health: 'fail', message: messageOf(error), fix: adviceFor(error) }
  }
}

async function checkToken(api: NativeApi, hasToken: boolean, server: string, signal: AbortSignal): Promise<Finding> {
  const check = 'Token'
  if (!hasToken) return { check, health: 'ok', message: `none for ${server}: public files only` }
  try {
    const user = await api.tokenUser(signal)
    const known = user ? `knows it as ${user.identifier}` : 'accepts it: a preview URL’s, for one unpublished dataset'
    return { check, health: 'ok', message: `${server} ${known}` }
  } catch (error) {
    return { check, health: 'fail', message: messageOf(error), fix: adviceFor(error) }
  }
}

async function checkClock(http: Http, server: string, signal: AbortSignal): Promise<Finding> {
  const check = 'Clock'
  try {
    const answer = await http.send({ method: 'GET', url: `${server}/api/info/version`, headers: {}, signal })
    const theirs = Date.parse(header(answer.headers, 'date') ?? '')
    answer.body.close()
    if (Number.isNaN(theirs)) return { check, health: 'ok', message: `${server} does not send its time` }
    const apart = Math.abs(Date.now() - theirs)
    if (apart < CLOCK_TOLERANCE_MS) return { check, health: 'ok', message: `agrees with ${server}` }
    const message = `this machine and ${server} are ${formatDuration(apart)} apart`
    return { check, health: 'warn', message, fix: 'Set the clock (NTP): signed URLs would look expired.' }
  } catch (error) {
    return { check, health: 'warn', message: messageOf(error), fix: adviceFor(error) }
  }
}

function adviceFor(error: unknown): string {
  return error instanceof DataferryError ? error.advice : 'Check the server’s URL and the network.'
}
