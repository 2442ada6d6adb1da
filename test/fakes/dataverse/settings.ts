import { z } from 'zod'
import { chaosSchema } from './chaos.ts'

/** What can be changed while the stand-in runs. Everything is plain JSON. */
export const settingsSchema = z.strictObject({
  /** How far the clock of the installation is ahead of the real one. */
  clockAheadMs: z.number().default(0),
  /** Wait before every answer. */
  latencyMs: z.number().nonnegative().default(0),
  /** Upper bound of the speed of one answer; 0: none. */
  bytesPerSecond: z.number().nonnegative().default(0),
  /** `:ZipDownloadLimit` in bytes. */
  zipLimit: z.number().default(104_857_600),
  /** The application server's request timeout: the connection breaks, wherever the body is. 0: none. */
  requestTimeoutMs: z.number().nonnegative().default(0),
  /** As the timeout, but exact: every body of Dataverse itself breaks after so many bytes. 0: never. */
  cutAfterBytes: z.number().nonnegative().default(0),
  /** A proxy takes `Content-Length` away. */
  stripContentLength: z.boolean().default(false),
  /** Archives end after so many bytes as if they were complete. 0: never. */
  zipCutAfterBytes: z.number().nonnegative().default(0),
  /** The application server deploys: every address answers a page of the container with 404. */
  deploying: z.boolean().default(false),
  /** The storage is away: no object can be opened. */
  storageAway: z.boolean().default(false),
  presignTtlMs: z.number().positive().default(3_600_000),
  /** Requests an hour for each command class; guests share one bucket. Null: no limiter. */
  limiter: z.strictObject({ guestPerHour: z.number(), userPerHour: z.number() }).nullish(),
  /** ZIP requests are handed to an external service by a 303. */
  externalZip: z.boolean().default(false),
  /** Equal labels swap places from page to page. */
  unstablePaging: z.boolean().default(true),
  /** Text results stand at the top of the answer, not under `data`. */
  topLevelMessages: z.boolean().default(false),
  /** An R server is there for `format=RData`. */
  rserve: z.boolean().default(true),
  /** Routes that the operators blocked, e.g. `search`. */
  blocked: z.array(z.string()).default([]),
  /** Notifications for applications look for a file where there is a dataset, and name nothing: 6.9. */
  namelessNotifications: z.boolean().default(false),
  /** One of the notifications is of a dataset that was destroyed: the texts of all of them fail then (6.11). */
  destroyedDataset: z.boolean().default(false),
  searchNeedsToken: z.boolean().default(false),
  /** The index does not answer: `overloaded` is the 400 that a wrong query gets as well. */
  searchFails: z.enum(['overloaded', 'away']).optional(),
  /** The search that defines each OAI set. */
  oaiSets: z.record(z.string(), z.string()).default({}),
  /** Versions that a listing of versions gives without a `limit`; undefined: all. */
  versionsPerPage: z.number().int().positive().optional(),
  chaos: chaosSchema.nullish(),
})
export type Settings = z.infer<typeof settingsSchema>
export type SettingsInput = z.input<typeof settingsSchema>

/** Takes over the named settings and leaves the others; rejects unknown names and wrong values. */
export function change(settings: Settings, changes: unknown): void {
  const parsed = settingsSchema.parse(changes)
  // Parsing fills in defaults, which are not meant here.
  const named = new Set(Object.keys(z.looseObject({}).parse(changes)))
  Object.assign(settings, Object.fromEntries(Object.entries(parsed).filter(([name]) => named.has(name))))
}
