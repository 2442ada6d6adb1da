import { tokenFor, type LoadedConfig } from '../config/config.ts'
import { normalServer } from '../config/setting-values.ts'
import { DataAccessApi } from '../dataverse/data-access-api.ts'
import { FileAccessApi } from '../dataverse/file-access-api.ts'
import type { Timeouts } from '../dataverse/http/exchange.ts'
import { Http, type RequestNote } from '../dataverse/http/http.ts'
import type { InstallationOptions } from '../dataverse/installation.ts'
import { MirrorApi } from '../dataverse/mirror-api.ts'
import { NativeApi, type NativeApiOptions } from '../dataverse/native-api.ts'
import type { RetryPolicy } from '../dataverse/retry.ts'
import { DataferryError } from '../errors.ts'
import { Counts } from '../model/counts.ts'
import type { FileAccess } from '../model/file-access.ts'
import type { GivenAnswers } from '../model/guestbook.ts'
import type { MirrorSource } from '../model/mirror-source.ts'
import type { OpenSource } from '../model/source.ts'
import type { TakeSlot } from '../model/take-slot.ts'
import { shareOf } from '../model/timetable.ts'
import type { Patience } from '../plan/patient-catalogue.ts'
import type { TokenKeeper } from '../../workers/token-holds.ts'
import { responder } from './answers.ts'
import type { Context } from './command.ts'
import { supervision } from './supervision.ts'
import { limitedSource, RateLimit } from '../transfer/rate-limit.ts'

/** What connecting to servers needs from a command. */
export type Reach = Pick<Context, 'config' | 'log'>

/** A pool of connections with the configured proxies and certificate authorities; logs each request. */
export function httpFor(
  { config, log }: Reach,
  connections: number,
  timeouts: Timeouts = {},
  onRequest: (note: RequestNote) => void = () => undefined,
): Http {
  const { connectTimeoutMs: connectMs, idleTimeoutMs: idleMs, slowTimeoutMs: slowMs } = config.settings
  return new Http({
    ...config.network,
    connections,
    timeouts: { connectMs, idleMs, slowMs, ...timeouts },
    onRequest: (note) => {
      log.debug(note, 'request')
      onRequest(note)
    },
  })
}

/** How servers see this client, and where they may redirect it. */
export function clientOptions({
  settings: { contact, userAgent, allowHost: allowHosts },
}: LoadedConfig): Pick<InstallationOptions, 'contact' | 'userAgent' | 'allowHosts'> {
  return { contact, userAgent, allowHosts }
}

/** How soon calls are tried again: what is not a file takes half the wait of one. */
export function callWaits({
  settings: { throttleFirstMs, retryFirstMs },
}: LoadedConfig): Pick<RetryPolicy, 'throttleMs' | 'retryMs'> {
  return { throttleMs: throttleFirstMs, retryMs: retryFirstMs / 2 }
}

/** Slots limit the streams of a server; this only keeps a bug from opening thousands. */
const MOST_CONNECTIONS = 128
/** A server that does not report its version within this time is down. */
const IS_UP_MS = 10_000

function keyOf(server: string, withToken: boolean): string {
  return `${withToken ? 'token' : 'public'} ${server}`
}

/** The installations that this process may contact, over one pool of connections. */
export class Sources {
  readonly #config: LoadedConfig
  readonly #allowed: ReadonlySet<string>
  readonly #http: Http
  readonly #clients = new Map<string, DataAccessApi>()
  readonly #fileAccess = new Map<string, FileAccess>()
  readonly #limits = new Map<string, RateLimit>()
  /** Answers and bytes of each server. */
  readonly counts = new Counts()
  /** Shared by all downloads of this process. */
  readonly #rate: RateLimit
  readonly #onReceived: (bytes: number) => void

  /** @param alsoAllowed servers that a batch was planned for, which its user named then */
  constructor(reach: Reach & Pick<Context, 'limits'>, alsoAllowed: readonly string[] = []) {
    const { config, limits } = reach
    const { limitRate } = config.settings
    this.#config = config
    this.#allowed = new Set([...config.servers, ...alsoAllowed])
    this.#http = httpFor(reach, MOST_CONNECTIONS, {}, (note) => this.#countAnswer(note))
    this.#rate = new RateLimit(shareOf(limitRate, supervision()?.processes))
    this.#onReceived = (bytes) => limits.received(bytes)
  }

  /**
   * Downloads from one server, with answers to its guestbooks where the settings name any. Throws `CONFIG_INVALID` for a
   * server that was not configured.
   * @param withToken false: anonymous, whatever tokens there are
   * @param given remembers answers while they count; by default in this process
   */
  source(server: string, withToken = true, given?: GivenAnswers): OpenSource {
    const open = this.#client(server, withToken).answering(responder(this.#config, server, withToken), given)
    const counted = limitedSource(open, this.#limit(server), this.counts.counter('received', server))
    return limitedSource(counted, this.#rate, this.#onReceived)
  }

  #client(server: string, withToken: boolean): DataAccessApi {
    const key = keyOf(server, withToken)
    const known = this.#clients.get(key)
    if (known) return known
    const installation = this.#installation(server)
    const api = new DataAccessApi(withToken ? installation : { ...installation, apiToken: undefined })
    this.#clients.set(key, api)
    return api
  }

  /** Sets how fast this process may read from one server; undefined: as fast as it can. */
  limit(server: string, bytesPerSecond: number | undefined): void {
    this.#limit(server).set(bytesPerSecond)
  }

  /** Where a server sends to its storage, the answer is that of the storage, whichever host that is. */
  #countAnswer({ url, status }: RequestNote): void {
    const server = [...this.#allowed].find((one) => url.startsWith(`${one}/`)) ?? 'storage'
    this.counts.counter('answers', server, status === undefined ? 'none' : String(status))(1)
  }

  #limit(server: string): RateLimit {
    const limit = this.#limits.get(server) ?? new RateLimit()
    this.#limits.set(server, limit)
    return limit
  }

  /**
   * The whole client of one server. Throws `CONFIG_INVALID` for a server that was not configured.
   * @param retries of calls that read; 0 for callers with a retry of their own
   */
  access(server: string, retries?: number): DataAccessApi {
    return new DataAccessApi({ ...this.#installation(server), ...callWaits(this.#config), retries })
  }

  /**
   * Metadata of one server. Throws `CONFIG_INVALID` for a server that was not configured.
   * @param takeSlot waits until one more question may be asked; by default any number may
   */
  native(server: string, takeSlot?: TakeSlot): NativeApi {
    return new NativeApi({ ...this.#installation(server), ...callWaits(this.#config), takeSlot })
  }

  /**
   * Questions about access to files of one server, whose guestbooks are remembered for a while. Throws `CONFIG_INVALID` for one that
   * was not configured.
   * @param takeSlot that of the workers of this process
   */
  fileAccess(server: string, withToken: boolean, takeSlot: TakeSlot): FileAccess {
    const key = keyOf(server, withToken)
    const known = this.#fileAccess.get(key)
    if (known) return known
    const installation = this.#installation(server)
    // What fails is asked again with the next look or attempt.
    const calls = { retries: 0, takeSlot }
    const reach = { ...installation, ...(!withToken && { apiToken: undefined }), ...calls }
    const access = new FileAccessApi(reach, responder(this.#config, server, withToken))
    this.#fileAccess.set(key, access)
    return access
  }

  /** The tokens of this process, which may come anew from their files. */
  readonly tokens: TokenKeeper = {
    placeOf: (server) => this.#config.tokens.fileOf(normalServer(server) ?? server),
    renew: (server) => this.#config.tokens.renew(normalServer(server) ?? server),
    isAccepted: (server) =>
      this.#briefly(server)
        .tokenUser(AbortSignal.timeout(IS_UP_MS))
        .then(
          () => true,
          () => false,
        ),
  }

  /** When the token for a server expires; undefined where there is none, or the server does not say. Never rejects. */
  async tokenExpiry(server: string): Promise<Date | undefined> {
    if (tokenFor(this.#config, server) === undefined) return undefined
    return this.#briefly(server)
      .tokenExpiry(AbortSignal.timeout(IS_UP_MS))
      .catch(() => undefined)
  }

  #briefly(server: string): NativeApi {
    return new NativeApi({ ...this.#installation(server), retries: 0 })
  }

  /** What a mirror asks one server. Throws `CONFIG_INVALID` for one that nobody named. */
  mirror(server: string, how: Pick<NativeApiOptions, 'takeSlot' | 'now'> = {}): MirrorSource {
    return new MirrorApi({ ...this.#installation(server), ...callWaits(this.#config), ...how })
  }

  /** Whether a server answers as a Dataverse does, in one request without a token; never rejects. */
  async isUp(server: string, signal?: AbortSignal): Promise<boolean> {
    const api = new NativeApi({ ...this.#installation(server), apiToken: undefined, retries: 0 })
    const inTime = AbortSignal.timeout(IS_UP_MS)
    const asked = signal ? AbortSignal.any([signal, inTime]) : inTime
    return api.serverVersion(asked).then(
      () => true,
      () => false,
    )
  }

  /** How long a server that is away is waited for by what is not an item, as the settings say. */
  patience(server: string, what: string, onWait: Patience['onWait']): Patience {
    const { outageFirstMs: firstMs, outageMaxMs: maxMs, giveUpAfterMs } = this.#config.settings
    const isUp = (signal: AbortSignal): Promise<boolean> => this.isUp(server, signal)
    const token = { place: this.tokens.placeOf(server), renew: () => this.tokens.renew(server) }
    return { what, isUp, token, firstMs, maxMs, giveUpAfterMs, onWait }
  }

  async close(): Promise<void> {
    await this.#http.close()
  }

  #installation(server: string): InstallationOptions {
    if (!this.#allowed.has(server)) {
      throw new DataferryError('CONFIG_INVALID', `${server} is given neither with --server nor in the config file.`)
    }
    return {
      baseUrl: server,
      // The token of a file may be replaced while this process runs.
      apiToken: () => tokenFor(this.#config, server),
      http: this.#http,
      ...clientOptions(this.#config),
    }
  }
}
