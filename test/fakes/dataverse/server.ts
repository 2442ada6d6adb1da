import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { Dice } from './chaos.ts'
import { Connections } from './connections.ts'
import type { Context, GuestbookRecord, User } from './context.ts'
import { freshMemory } from './context.ts'
import { control } from './control.ts'
import { FaultScript } from './faults.ts'
import type { Fault } from './faults.ts'
import { features } from './profile.ts'
import type { Profile } from './profile.ts'
import { Records } from './records.ts'
import type { RequestRecord } from './records.ts'
import { listener, serveDataverse, serveStorage } from './serve.ts'
import type { Running } from './serve.ts'
import { change, settingsSchema } from './settings.ts'
import type { Settings, SettingsInput } from './settings.ts'
import type { World } from './world.ts'

export interface TokenSpec {
  /** Assignee, e.g. `@jane`. */
  readonly user: string
  readonly superuser?: boolean
  /** Ids of restricted files that this user may download. */
  readonly grants?: readonly number[]
  /** PIDs of datasets with all rights, drafts included. */
  readonly curates?: readonly string[] | 'all'
  /** A day: from then on the token is not accepted. */
  readonly expires?: string
  /** A preview-URL token: it shows the dataset in `curates`, and belongs to no account. */
  readonly preview?: boolean
}

export interface StandInOptions extends SettingsInput {
  readonly world: World
  /** Default 6.11. */
  readonly profile?: Profile
  readonly tokens?: Readonly<Record<string, TokenSpec>>
  readonly faults?: readonly Fault[]
  /** Milliseconds since 1970; default the real time, and what the settings say on top. */
  readonly clock?: () => number
  /**
   * The name under which other containers reach it: then it listens on all addresses, and its URLs have this name.
   * Default: this machine alone, by 127.0.0.1.
   */
  readonly host?: string
  /** Ports; default any free one. */
  readonly port?: number
  readonly storagePort?: number
  /** The answer that ends a connection; default the 250th, as Payara has it. 1: a connection for each request. */
  readonly requestsPerConnection?: number
  /** Requests that are remembered one by one; default 10,000. */
  readonly keepRequests?: number
  /** Answers under `/__control`, for other processes; default off. */
  readonly control?: boolean
}

/** A running installation and its storage host. */
export interface StandIn {
  readonly url: string
  readonly storageUrl: string
  readonly world: World
  /** Requests and counters so far. */
  readonly records: Records
  /** The newest requests, oldest first. */
  readonly requests: readonly RequestRecord[]
  /** What guestbooks hold, oldest first. */
  readonly guestbookRecords: readonly GuestbookRecord[]
  readonly settings: Readonly<Settings>
  /** Changes settings from the next request on. */
  set(changes: unknown): void
  fault(fault: Fault): void
  clearFaults(): void
  /** Breaks every connection and stops listening. */
  close(): Promise<void>
}

/** Starts the stand-in, on 127.0.0.1 unless told otherwise: a real HTTP server for Dataverse and a second one as its storage host. */
export async function startDataverse(options: StandInOptions): Promise<StandIn> {
  const {
    world,
    profile,
    tokens,
    faults,
    clock,
    host,
    port,
    storagePort,
    requestsPerConnection = 250,
    keepRequests,
    control: controlled,
    ...given
  } = options
  const script = new FaultScript()
  for (const fault of faults ?? []) script.add(fault)
  const records = new Records(keepRequests ?? 10_000)
  const settings = settingsSchema.parse(given)
  const dataverse = createServer({ keepAliveTimeout: 60_000 })
  const storage = createServer({ keepAliveTimeout: 60_000 })
  const [url, storageUrl] = [await listen(dataverse, host, port), await listen(storage, host, storagePort)]
  const context: Context = {
    world,
    features: features(profile ?? '6.11'),
    settings,
    clock: clock ?? (() => Date.now() + settings.clockAheadMs),
    url,
    storageUrl,
    secret: 'stand-in',
    tokens: usersOf(tokens ?? {}),
    memory: freshMemory(),
    downloads: (file) => records.file(file).counted,
  }
  const running: Running = {
    context,
    records,
    script,
    dice: new Dice(),
    connections: new Connections(requestsPerConnection),
  }
  const close = async (): Promise<void> => {
    for (const server of [dataverse, storage]) server.closeAllConnections()
    await Promise.all([dataverse, storage].map((server) => new Promise((resolve) => server.close(resolve))))
  }
  const standIn: StandIn = {
    url,
    storageUrl,
    world,
    records,
    get requests() {
      return records.list()
    },
    get guestbookRecords() {
      return [...context.memory.responses.values()]
    },
    settings,
    set: (changes) => change(settings, changes),
    fault: (fault) => script.add(fault),
    clearFaults: () => script.clear(),
    close,
  }
  const answers = listener((message, response) => serveDataverse(message, response, running))
  const controls = listener((message, response) => control(message, response, standIn))
  dataverse.on('request', (message, response) =>
    controlled && message.url?.startsWith('/__control') ? controls(message, response) : answers(message, response),
  )
  storage.on(
    'request',
    listener((message, response) => serveStorage(message, response, running)),
  )
  return standIn
}

async function listen(server: Server, host: string | undefined, port = 0): Promise<string> {
  server.listen(port, host === undefined ? '127.0.0.1' : '0.0.0.0')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The stand-in has no TCP port.')
  return `http://${host ?? '127.0.0.1'}:${address.port}`
}

function usersOf(tokens: Readonly<Record<string, TokenSpec>>): Map<string, User> {
  return new Map(
    Object.entries(tokens).map(([token, spec]) => [
      token,
      {
        name: spec.user,
        superuser: spec.superuser ?? false,
        grants: new Set(spec.grants),
        curates: spec.curates === 'all' ? 'all' : new Set(spec.curates),
        preview: spec.preview ?? false,
        expires: spec.expires,
      },
    ]),
  )
}
