import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { nodeProgram } from '../../node-program.ts'
import type { GuestbookRecord } from './context.ts'
import type { FaultData } from './faults.ts'
import type { Profile } from './profile.ts'
import type { FileCounters, RequestRecord } from './records.ts'
import type { TokenSpec } from './server.ts'
import type { SettingsInput } from './settings.ts'
import type { WorldJson } from './world-json.ts'

export interface ProcessOptions extends SettingsInput {
  /** `demo`, `tiny:…`, `big:…`, the path of a module, or a world as JSON. See `main.ts`. */
  readonly world: string | WorldJson
  readonly profile?: Profile
  readonly tokens?: Readonly<Record<string, TokenSpec>>
  readonly faults?: readonly FaultData[]
  readonly port?: number
  readonly storagePort?: number
  readonly requestsPerConnection?: number
  readonly keepRequests?: number
}

/** A stand-in in a process of its own, so that its work does not disturb what is tested or measured. */
export interface DataverseProcess {
  readonly url: string
  readonly storageUrl: string
  readonly pid: number
  set(changes: SettingsInput): Promise<void>
  fault(fault: FaultData): Promise<void>
  clearFaults(): Promise<void>
  /** Remembered requests after a sequence number. */
  requests(after?: number): Promise<readonly RequestRecord[]>
  counters(file: number): Promise<FileCounters>
  /** What guestbooks hold, oldest first. */
  guestbookRecords(): Promise<readonly Pick<GuestbookRecord, 'file' | 'event'>[]>
  totals(): Promise<{ readonly requests: number; readonly leaks: number; readonly rss: number }>
  clearRequests(): Promise<void>
  /** Ends the process and waits for its end. */
  close(): Promise<void>
}

const readySchema = z.object({ url: z.string(), storageUrl: z.string() })

/** Starts `main.ts` and resolves when it listens. Rejects with its standard error when it cannot start. */
export async function startDataverseProcess({ world, ...options }: ProcessOptions): Promise<DataverseProcess> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const named = typeof world === 'string' ? ['--world', world] : []
  const child = spawn(process.execPath, [...nodeProgram(main), ...named, '--stdin'], {
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
  })
  const ended = once(child, 'exit')
  const errors: string[] = []
  const { stdin, stdout, stderr } = child
  if (!stdin || !stdout || !stderr) throw new Error('The stand-in has no streams.')
  stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
  stdin.end(JSON.stringify(typeof world === 'string' ? options : { ...options, world }))
  const lines = createInterface({ input: stdout })
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)])
  if (!first || child.pid === undefined) throw new Error(`The stand-in did not start: ${errors.join('')}`)
  const { url, storageUrl } = readySchema.parse(JSON.parse(String(first[0])))
  const close = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  return { url, storageUrl, pid: child.pid, ...controlOf(() => url), close }
}

const countersSchema = z.object({ requests: z.number(), counted: z.number(), bytes: z.number() })
const totalsSchema = z.object({ requests: z.number(), leaks: z.number(), rss: z.number() })
const guestbookRecordSchema = z.object({ file: z.number(), event: z.enum(['Download', 'AccessRequest']) })
const recordSchema = z.object({
  seq: z.number(),
  origin: z.enum(['dataverse', 'storage']),
  method: z.string(),
  url: z.string(),
  file: z.number().optional(),
  range: z.string().optional(),
  userAgent: z.string().optional(),
  acceptEncoding: z.string().optional(),
  hasToken: z.boolean(),
  at: z.number(),
  status: z.number(),
  bytes: z.number(),
  ended: z.boolean(),
  counted: z.boolean(),
})

/** Talks to the control routes of a stand-in, whoever started it. @param url asked for at each call */
export function controlOf(url: () => string): Omit<DataverseProcess, 'url' | 'storageUrl' | 'pid' | 'close'> {
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
    const answer = await fetch(`${url()}/__control/${path}`, init)
    if (!answer.ok) throw new Error(`The stand-in refused ${method} ${path}: ${await answer.text()}`)
    return answer.json()
  }
  return {
    set: async (changes) => {
      await ask('POST', 'settings', changes)
    },
    fault: async (fault) => {
      await ask('POST', 'faults', fault)
    },
    clearFaults: async () => {
      await ask('DELETE', 'faults')
    },
    requests: async (after = 0) => {
      const records = z.array(recordSchema).parse(await ask('GET', `requests?after=${after}`))
      return records.map((record) => ({
        file: undefined,
        range: undefined,
        userAgent: undefined,
        acceptEncoding: undefined,
        ...record,
      }))
    },
    guestbookRecords: async () => z.array(guestbookRecordSchema).parse(await ask('GET', 'guestbook-records')),
    counters: async (file) => countersSchema.parse(await ask('GET', `counters/${file}`)),
    totals: async () => totalsSchema.parse(await ask('GET', 'totals')),
    clearRequests: async () => {
      await ask('DELETE', 'requests')
    },
  }
}
