import { hash } from 'node:crypto'
import { z } from 'zod'
import { parseRecord, recordLines, recordText, unreadable } from '../batch/record.ts'
import { parseJson } from '../json/parse-json.ts'
import { checksumSchema, checksumsSchema } from '../model/checksum.ts'
import { VERIFIED } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './order.ts'

/**
 * - `current`: released, and here as it was at the end of the last run
 * - `deaccessioned`, `gone` (destroyed), `denied`, `out-of-scope`: what was held stays
 * - `purged`: taken down here for good; never fetched again
 * - `linked`: found, but only linked into the scope; nothing of it was ever held
 */
export const DATASET_STATES = [
  'current',
  'deaccessioned',
  'gone',
  'denied',
  'out-of-scope',
  'purged',
  'linked',
] as const
export type DatasetState = (typeof DATASET_STATES)[number]

const versionSchema = z.object({
  id: z.number().int(),
  number: z.string(),
  lastUpdateTime: z.string().optional(),
  releaseTime: z.string().optional(),
  counter: z.number().optional(),
  /** SHA-256 of what the listing says of its files; absent where it was not listed. */
  listing: z.string().optional(),
  /** Forms of metadata that are kept, each by the SHA-256 of its bytes. */
  metadata: z.record(z.string(), z.string()).optional(),
  /** It was released, and is not shown any more. */
  withdrawn: z.literal(true).optional(),
  /** A mirror of the newest version has gone on to another one: of this one only the metadata is kept. */
  past: z.literal(true).optional(),
})
export type HeldVersion = Readonly<z.infer<typeof versionSchema>>

const countsSchema = z.object({
  current: z.number().int(),
  bytes: z.number(),
  /** Kept aside: superseded and removed ones. */
  aside: z.number().int(),
  missing: z.number().int(),
})

/** A line of `datasets.ndjson`: a dataset after a run. */
export const datasetSchema = z.object({
  id: z.number().int().positive(),
  pid: z.string(),
  /** Its folder at the destination. */
  folder: z.string(),
  state: z.enum(DATASET_STATES),
  owner: z.string().optional(),
  /** What the search said when it was last found to be up to date. */
  seen: z
    .object({ versionId: z.number().int(), number: z.string().optional(), updatedAt: z.string().optional() })
    .optional(),
  /** Newest first. */
  versions: z.array(versionSchema).readonly(),
  files: countsSchema,
  /** SHA-256 of the record of its files, so that all that is said of them follows from this. Absent: written by an older version. */
  filesSha256: z.string().optional(),
  /** Day (UTC) on which something in it may become available. */
  due: z.string().optional(),
  /** It is looked at in the next run, whatever the search says. */
  again: z.literal(true).optional(),
  /** Something in it failed for a reason that may pass: its files are listed and asked for again. */
  retry: z.literal(true).optional(),
  /** Its object could not be written: tried again in the next run. */
  unstored: z.literal(true).optional(),
  /** A guestbook stands before something in it: asked for again once there are answers. */
  guarded: z.literal(true).optional(),
  /** Runs in a row in which the server did not know it. */
  unknownRuns: z.number().int().optional(),
  /** When it left, and what was said of it. */
  leftAt: z.string().optional(),
  reason: z.string().optional(),
  forward: z.string().optional(),
})
export type MirroredDataset = Readonly<z.infer<typeof datasetSchema>>

/**
 * - `current`: in a version that is mirrored
 * - `restricted-now`: the same, and the server has restricted it since
 * - `superseded`: replaced by another file; `removed`: no longer in the newest release; both are kept aside
 * - `missing`: it could not be had; nothing is at its path
 */
const FILE_STATES = ['current', 'restricted-now', 'superseded', 'removed', 'missing'] as const

const heldFileSchema = z.object({
  /** The server's id of the bytes. */
  file: z.number().int().positive(),
  /** Where it is shown, relative to the destination. */
  path: z.string(),
  /** Where its bytes are, if not there: content of an object, which many files may share. */
  content: z.string().optional(),
  state: z.enum(FILE_STATES),
  /** The last version in which it was current. */
  version: z.string(),
  /** What the listing promises: by this it is known that the bytes are still the same. */
  size: z.number().int().nonnegative().optional(),
  checksum: checksumSchema.optional(),
  /** Further digests that were taken when it came. */
  digests: checksumsSchema.optional(),
  verified: z.enum(VERIFIED).optional(),
  /** Of what is missing: why. */
  code: z.string().optional(),
  /** The server withholds it from this user: it is asked for again when the listing or the calendar says so. */
  withheld: z.literal(true).optional(),
  /** When it left. */
  leftAt: z.string().optional(),
  /** Line of the plan that brings it, or whose file is linked here; only while a run goes on. */
  item: z.number().int().nonnegative().optional(),
  link: z.number().int().nonnegative().optional(),
  /** Bytes that came to `path` are in an object now, and are to go there; only while a run goes on. */
  surplus: z.literal(true).optional(),
})
export type HeldFile = Readonly<z.infer<typeof heldFileSchema>>

const filesSchema = z.object({ v: z.literal(1), dataset: z.number().int(), files: z.array(heldFileSchema) })

/** Whether a file is where its version shows it. */
export function isShown({ state }: HeldFile): boolean {
  return state === 'current' || state === 'restricted-now'
}

/** Where its bytes are, relative to the destination. */
export function placeOf({ path, content = path }: Pick<HeldFile, 'path' | 'content'>): string {
  return content
}

/** Whether its bytes are here. */
export function isHeld({ state }: HeldFile): boolean {
  return state !== 'missing'
}

/** `state.json`: where the state of a mirror is, and how it came about. */
const stateSchema = z.object({
  v: z.literal(1),
  /** The run whose `datasets.ndjson` is the state. */
  run: z.string(),
  finishedAt: z.string(),
  /** When every dataset was last looked at, whatever the search said: one time for each remainder of its id. */
  swept: z.array(z.string()),
})
export type MirrorState = Readonly<z.infer<typeof stateSchema>>

/** Datasets are looked at in full in so many parts, by the remainder of their id. */
export const PARTS = 7

export async function readState(records: Records, mirror: string): Promise<MirrorState | undefined> {
  const bytes = await records.read(names.state(mirror))
  return bytes && parseRecord(stateSchema, bytes, names.state(mirror))
}

export async function writeState(records: Records, mirror: string, state: MirrorState): Promise<void> {
  await records.write(names.state(mirror), recordText(state))
}

/** Every dataset of a mirror by ascending id, as the last run left it. */
export async function* heldDatasets(records: Records, mirror: string): AsyncGenerator<MirroredDataset, void> {
  const state = await readState(records, mirror)
  if (state) yield* readLines(records, names.datasets(mirror, state.run), datasetSchema)
}

/** The lines of a log, each checked. Rejects with `RECORD_UNREADABLE`. */
export async function* readLines<T>(records: Records, name: string, schema: z.ZodType<T>): AsyncGenerator<T, void> {
  for await (const { n, value } of eachLine(records, name, schema)) {
    if (value === undefined) throw unreadable(`Line ${n} of .dataferry/${name} is damaged.`)
    yield value
  }
}

/** The lines of a log by their number, from 1; without a value those that are damaged. */
export async function* eachLine<T>(
  records: Records,
  name: string,
  schema: z.ZodType<T>,
): AsyncGenerator<{ readonly n: number; readonly value: T | undefined }, void> {
  let n = 0
  for await (const { text } of recordLines(records.streamLog(name, 0))) {
    const parsed = schema.safeParse(text === undefined ? undefined : parseJson(text))
    yield { n: ++n, value: parsed.success ? parsed.data : undefined }
  }
}

/** Every file of a dataset that is held or missing; none where nothing was ever fetched. Rejects with `RECORD_UNREADABLE`. */
export async function readFiles(records: Records, mirror: string, dataset: number): Promise<readonly HeldFile[]> {
  return readFilesRecord(records, names.files(mirror, dataset))
}

export async function readFilesRecord(records: Records, name: string): Promise<readonly HeldFile[]> {
  const bytes = await records.read(name)
  return bytes ? parseRecord(filesSchema, bytes, name).files : []
}

/** @returns the SHA-256 of what was written */
export async function writeFilesRecord(
  records: Records,
  name: string,
  dataset: number,
  files: readonly HeldFile[],
): Promise<string> {
  const text = `${JSON.stringify({ v: 1, dataset, files })}\n`
  await records.write(name, text)
  return hash('sha256', text)
}

export function countsOf(files: readonly HeldFile[]): MirroredDataset['files'] {
  const counts = { current: 0, bytes: 0, aside: 0, missing: 0 }
  for (const file of files) {
    if (!isHeld(file)) counts.missing++
    else if (isShown(file)) {
      counts.current++
      counts.bytes += file.size ?? 0
    } else counts.aside++
  }
  return counts
}
