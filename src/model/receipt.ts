import { z } from 'zod'
import { checksumSchema, checksumsSchema, type Checksum } from './checksum.ts'
import type { Item } from './item.ts'

/** What the received bytes were compared with. */
export const VERIFIED = ['checksum', 'size', 'structure', 'nothing'] as const
export type Verified = (typeof VERIFIED)[number]

/** A requested file that is not in an archive. */
const leftOutSchema = z.object({
  id: z.number().int(),
  /** Folder and name as the server has them; the id where the server knows none. */
  path: z.string(),
  /** `limit`, `restricted`, `embargoed`, `retention-expired`, `not-authorized`, `io-error`, `missing`, `other-form`, `mismatch` or `unknown`. */
  reason: z.string(),
  /** The archive's manifest names bare labels, and which of several files of that label is meant is a guess. */
  ambiguous: z.literal(true).optional(),
})
export type LeftOut = Readonly<z.infer<typeof leftOutSchema>>

/** See `Receipt`. */
export const receiptSchema = z.object({
  /** Lines without it are of version 1, which knew no `digests`. */
  v: z.literal(2).default(2),
  /** `done`: fetched now. `kept`: was at the destination already. */
  state: z.enum(['done', 'kept']),
  n: z.number().int().nonnegative(),
  path: z.string(),
  size: z.number().int().nonnegative(),
  /** Of the committed bytes, in the promised algorithm, else sha256; absent when kept bytes were not read. */
  checksum: checksumSchema.optional(),
  /** Further digests of the same bytes, as `--digest` asked for them; none in the algorithm of `checksum`. */
  digests: checksumsSchema.optional(),
  verified: z.enum(VERIFIED),
  /** Bytes that an earlier attempt had kept. */
  resumedFrom: z.number().int().nonnegative(),
  finishedAt: z.string(),
  /** Anything a person should know, e.g. that a legacy checksum rule was used. */
  note: z.string().optional(),
  /** Of an archive: files that the server left out, so that the archive alone is not all that was asked for. */
  leftOut: z.array(leftOutSchema).optional(),
  /** A guestbook was answered for it: when, never with what. */
  guestbook: z.object({ id: z.number().int(), answeredAt: z.string() }).optional(),
})
const failureSchema = z.object({
  state: z.literal('failed'),
  n: z.number().int().nonnegative(),
  path: z.string(),
  code: z.string(),
  message: z.string(),
  finishedAt: z.string(),
})

/** What a file can wait for: that its owners grant access, or that its embargo ends. */
export const WAITS = ['access', 'embargo'] as const
/**
 * One of `WAITS`.
 * @useDeclaredType
 */
export type WaitsFor = (typeof WAITS)[number]

/** See `Waiting`. */
export const waitingSchema = z.object({
  state: z.literal('waiting'),
  n: z.number().int().nonnegative(),
  path: z.string(),
  for: z.enum(WAITS),
  /** For people. */
  message: z.string(),
  server: z.string(),
  /** Database id or PID. */
  file: z.union([z.number().int().nonnegative(), z.string()]),
  /** PID of its dataset, where the plan knows it. */
  dataset: z.string().optional(),
  since: z.string(),
  /** When it is tried again in any case: the embargo has ended, or access has been waited for long enough. */
  until: z.string(),
  finishedAt: z.string(),
})

/** A failed item that is to be retried: cancels earlier failures. */
const reopenedSchema = z.object({
  state: z.literal('reopened'),
  n: z.number().int().nonnegative(),
  finishedAt: z.string(),
})

/** One line of `receipts/*.ndjson`. Of several lines for one item a receipt beats all others, and of those the last one counts. */
export const logLineSchema = z.union([receiptSchema, failureSchema, waitingSchema, reopenedSchema])
export type LogLine = Readonly<z.infer<typeof logLineSchema>>
export type Receipt = Readonly<z.infer<typeof receiptSchema>>
export type Failure = Readonly<z.infer<typeof failureSchema>>
/** An item that cannot be fetched yet: nothing is done about it until somebody has looked whether it can. */
export type Waiting = Readonly<z.infer<typeof waitingSchema>>
/** How an item ended, or that it waits. */
export type Outcome = Receipt | Failure | Waiting

/** The record that an item waits, as of now. */
export function waitingFor(
  what: WaitsFor,
  { n, path, server, ref, origin }: Item,
  known: Pick<Waiting, 'message' | 'since' | 'until'>,
): Waiting {
  const file = ref.kind === 'file' ? ref.file : 0
  const dataset = origin?.dataset
  return {
    state: 'waiting',
    n,
    path,
    for: what,
    ...known,
    server,
    file,
    ...(dataset !== undefined && { dataset }),
    finishedAt: new Date().toISOString(),
  }
}

type Named = Pick<Item, 'n' | 'path'>
/** What is known about the bytes at an item's path. */
type Known = Pick<Receipt, 'size' | 'verified'> &
  Partial<Pick<Receipt, 'checksum' | 'digests' | 'resumedFrom' | 'note' | 'guestbook'>>

/** The record that an item is there, as of now. */
export function receiptFor(state: Receipt['state'], { n, path }: Named, known: Known): Receipt {
  const { size, checksum, digests = [], verified, resumedFrom = 0, note, guestbook } = known
  return {
    v: 2,
    state,
    n,
    path,
    size,
    ...(checksum && { checksum }),
    ...(digests.length > 0 && { digests }),
    verified,
    resumedFrom,
    finishedAt: new Date().toISOString(),
    ...(note !== undefined && { note }),
    ...(guestbook && { guestbook }),
  }
}

/** Every digest that a record holds of the bytes. */
export function checksumsOf({
  checksum,
  digests = [],
}: {
  readonly checksum?: Checksum | undefined
  readonly digests?: readonly Checksum[] | undefined
}): readonly Checksum[] {
  return checksum ? [checksum, ...digests] : digests
}

/** The receipt of an archive, with what is known of its content. */
export function withContent(
  receipt: Receipt,
  { note, leftOut }: { readonly note: string; readonly leftOut: readonly LeftOut[] },
): Receipt {
  return { ...receipt, note, ...(leftOut.length > 0 && { leftOut: [...leftOut] }) }
}

/** The record that an item could not be fetched, as of now. */
export function failureFor({ n, path }: Named, code: string, message: string): Failure {
  return { state: 'failed', n, path, code, message, finishedAt: new Date().toISOString() }
}
