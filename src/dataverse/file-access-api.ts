import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { isDay } from '../model/calendar.ts'
import type { FileAccess, FileFacts, Rejection, Requested } from '../model/file-access.ts'
import { askedAlready, requestAccess } from './access-requests.ts'
import { Guestbooks } from './guestbooks.ts'
import type { Respond } from '../model/guestbook.ts'
import { Installation } from './installation.ts'
import { JsonCalls } from './json-call.ts'
import { NativeApi, type NativeApiOptions } from './native-api.ts'
import { retryPolicy } from './retry.ts'
import type { Query, Route } from './route.ts'

/** Ids in one search: few enough for a URL. */
const IDS_A_SEARCH = 150
const NOTIFICATIONS_A_CALL = 100
const MOST_NOTIFICATIONS = 2_000

/** `FileAccess` of a Dataverse installation. @see the protocol note §1.7 and the mirroring note §5 */
export class FileAccessApi implements FileAccess {
  readonly #native: NativeApi
  readonly #now: () => Date
  readonly #installation: Installation
  readonly #calls: JsonCalls
  readonly #guestbooks: Guestbooks
  readonly #respond: Respond | undefined

  /** @param respond answers guestbooks that are to be answered with a request */
  constructor(options: NativeApiOptions, respond?: Respond) {
    this.#native = new NativeApi(options)
    this.#now = options.now ?? (() => new Date())
    this.#installation = new Installation(options)
    this.#calls = new JsonCalls(this.#installation, retryPolicy(options))
    this.#guestbooks = new Guestbooks(this.#installation, this.#calls)
    this.#respond = respond
  }

  async facts(file: number | string, signal: AbortSignal): Promise<FileFacts> {
    const { withheld, availableFrom, availableUntil, embargoEnds } = await this.#native.file(file, signal)
    const now = this.#now()
    const isToday = embargoEnds === now.toISOString().slice(0, 10)
    // A server in the west still lives in the day before.
    if (isToday && !isDay(embargoEnds, now)) return { withheld: 'embargoed', withheldDay: embargoEnds }
    const withheldDay = availableUntil ?? availableFrom
    return { ...(withheld && { withheld }), ...(withheldDay !== undefined && { withheldDay }) }
  }

  async request(file: number | string, signal: AbortSignal): Promise<Requested> {
    try {
      await requestAccess(this.#calls, this.#guestbooks, file, this.#respond, signal)
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

  /**
   * By the notifications. Their format for applications (6.9) names the dataset, but not in all versions, and not one that is destroyed; the text of
   * a message holds a link to it. Of a destroyed one 6.11 has no text, and answers 500.
   */
  async rejections(since: Date, signal: AbortSignal): Promise<readonly Rejection[]> {
    const named = await this.#rejections([['inAppNotificationFormat', 'true']], since, signal)
    const isNamed = named.every(({ dataset }) => dataset !== undefined)
    const found = isNamed ? named : await this.#rejections([], since, signal).catch(() => named)
    signal.throwIfAborted()
    return found.flatMap(({ dataset, at }) => (dataset === undefined ? [] : [{ dataset, at }]))
  }

  async #rejections(format: Query, since: Date, signal: AbortSignal): Promise<readonly Told[]> {
    const found: Told[] = []
    for (let offset = 0; offset < MOST_NOTIFICATIONS; offset += NOTIFICATIONS_A_CALL) {
      const page: Query = [
        ['limit', String(NOTIFICATIONS_A_CALL)],
        ['offset', String(offset)],
      ]
      const request = { route: NOTIFICATIONS, query: [...format, ...page], signal }
      const told = (await this.#calls.find(request, notificationsSchema, () => true)) ?? []
      const late = told.filter(({ at }) => at >= since)
      found.push(...late.filter(({ type }) => type === 'REJECTFILEACCESS'))
      // Servers before 6.9 send everything at once.
      if (told.length !== NOTIFICATIONS_A_CALL || late.length === 0) break
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

/** A notification. */
interface Told {
  readonly type: string
  readonly at: Date
  readonly dataset: string | undefined
}

const notification = z
  .looseObject({
    type: z.string(),
    sentTimestamp: z.string().max(100).catch(''),
    datasetPersistentIdentifier: z.string().nullish(),
    messageText: z.string().nullish(),
  })
  .transform(({ type, sentTimestamp, datasetPersistentIdentifier, messageText }): Told => {
    const linked = /[?&]persistentId=([^\s&"'<>]+)/.exec(messageText ?? '')?.[1]
    return { type, at: sentAt(sentTimestamp), dataset: datasetPersistentIdentifier ?? linked }
  })
/** Earlier versions put the list into an object. */
const notificationsSchema = z.union([
  z.array(notification),
  z.looseObject({ notifications: z.array(notification) }).transform(({ notifications }) => notifications),
])

/** Half a day: zones are rarely further from UTC. */
const ZONE_MS = 43_200_000

/** `November 27, 2026 6:38 PM UTC`; in a zone that is not known here, the latest time that it can be. */
function sentAt(text: string): Date {
  const at = new Date(text)
  return Number.isNaN(at.getTime()) ? new Date(Date.parse(text.replace(/ \S+$/, ' UTC')) + ZONE_MS) : at
}
