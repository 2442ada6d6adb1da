import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { FileAccess, FileFacts, Rejection, Requested } from '../model/file-access.ts'
import { askedAlready, putRequest } from './access-requests.ts'
import { Installation } from './installation.ts'
import { JsonCalls } from './json-call.ts'
import { NativeApi, type NativeApiOptions } from './native-api.ts'
import { DEFAULT_RETRIES, DEFAULT_THROTTLE_MS } from './retry.ts'
import type { Query, Route } from './route.ts'

/** Ids in one search: few enough for a URL. */
const IDS_A_SEARCH = 150
const NOTIFICATIONS_A_CALL = 100
const MOST_NOTIFICATIONS = 2_000

/** `FileAccess` of a Dataverse installation. @see the protocol note §1.7 and the mirroring note §5 */
export class FileAccessApi implements FileAccess {
  readonly #native: NativeApi
  readonly #installation: Installation
  readonly #calls: JsonCalls

  constructor(options: NativeApiOptions) {
    const { retries = DEFAULT_RETRIES, throttleMs = DEFAULT_THROTTLE_MS } = options
    this.#native = new NativeApi(options)
    this.#installation = new Installation(options)
    this.#calls = new JsonCalls(this.#installation, { retries, throttleMs })
  }

  async facts(file: number | string, signal: AbortSignal): Promise<FileFacts> {
    const { withheld, availableFrom, availableUntil } = await this.#native.file(file, signal)
    const withheldDay = availableUntil ?? availableFrom
    return { ...(withheld && { withheld }), ...(withheldDay !== undefined && { withheldDay }) }
  }

  async request(file: number | string, signal: AbortSignal): Promise<Requested> {
    try {
      await putRequest(this.#calls, file, undefined, signal)
      return { kind: 'made' }
    } catch (error) {
      // Everything that can be wrong with a request is a 400 with a sentence.
      if (!(error instanceof DataferryError) || error.code !== 'SOURCE_REJECTED' || error.status !== 400) throw error
      if (/already exists/i.test(error.message)) return { kind: 'exists' }
      if (/already be available/i.test(error.message)) return { kind: 'available' }
      return { kind: 'refused', why: error.message }
    }
  }

  hasRequested(file: number | string, signal: AbortSignal): Promise<boolean> {
    return askedAlready(this.#calls, file, signal)
  }

  /** By the search, which reads the role assignments anew for each answer (6.6). */
  async permitted(
    files: readonly number[],
    signal: AbortSignal,
  ): Promise<{ readonly yes: ReadonlySet<number>; readonly no: ReadonlySet<number> }> {
    const [yes, no] = [new Set<number>(), new Set<number>()]
    for (let at = 0; at < files.length; at += IDS_A_SEARCH) {
      const some = files.slice(at, at + IDS_A_SEARCH)
      const query: Query = [
        ['q', '*'],
        ['type', 'file'],
        ['fq', `entityId:(${some.join(' OR ')})`],
        // A draft of the dataset may have an entry of its own.
        ['per_page', String(2 * IDS_A_SEARCH)],
      ]
      const { items } = await this.#calls.get({ route: SEARCH, query, signal }, foundSchema)
      for (const { file_id: id, canDownloadFile } of items) {
        if (canDownloadFile === true) yes.add(id)
        if (canDownloadFile === false) no.add(id)
      }
    }
    return { yes, no }
  }

  /** Since 6.9; what earlier versions answer names no dataset in a way that can be relied on. */
  async rejections(since: Date, signal: AbortSignal): Promise<readonly Rejection[]> {
    const found: Rejection[] = []
    for (let offset = 0; offset < MOST_NOTIFICATIONS; offset += NOTIFICATIONS_A_CALL) {
      const query: Query = [
        ['inAppNotificationFormat', 'true'],
        ['limit', String(NOTIFICATIONS_A_CALL)],
        ['offset', String(offset)],
      ]
      const request = { route: NOTIFICATIONS, query, signal }
      const page = (await this.#calls.find(request, notificationsSchema, () => true)) ?? []
      const times = page.map(({ sentTimestamp }) => Date.parse(sentTimestamp))
      for (const [i, { type, datasetPersistentIdentifier: dataset }] of page.entries()) {
        const at = times[i] ?? NaN
        if (type === 'REJECTFILEACCESS' && dataset && at >= since.getTime()) found.push({ dataset, at: new Date(at) })
      }
      if (page.length < NOTIFICATIONS_A_CALL || times.every((at) => at < since.getTime())) break
    }
    return found
  }

  /** Closes the connections, unless they were passed in. */
  async close(): Promise<void> {
    await Promise.all([this.#native.close(), this.#installation.close()])
  }
}

const SEARCH: Route = { path: 'search', query: [], what: 'access to files' }
const NOTIFICATIONS: Route = { path: 'notifications/all', query: [], what: 'notifications' }

const foundSchema = z.looseObject({
  items: z.array(z.looseObject({ file_id: z.coerce.number().int(), canDownloadFile: z.boolean().nullish() })),
})

const notification = z.looseObject({
  type: z.string(),
  sentTimestamp: z.string().catch(''),
  datasetPersistentIdentifier: z.string().nullish(),
})
/** Earlier versions put the list into an object, and name nothing in it. */
const notificationsSchema = z.union([
  z.array(notification),
  z.looseObject({ notifications: z.array(z.unknown()) }).transform(() => []),
])
