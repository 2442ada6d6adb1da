import { mapInOrder } from '../async/map-in-order.ts'
import { DataferryError } from '../errors.ts'
import type { BatchId, PlanState } from '../model/batch.ts'
import { sameChecksum, type Algorithm, type Checksum } from '../model/checksum.ts'
import { itemKey } from '../model/item-key.ts'
import { formatCount } from '../model/format.ts'
import { checksumsOf } from '../model/receipt.ts'
import { shownUrl } from '../model/shown-url.ts'
import type { Sink } from '../sinks/sink.ts'
import { isShownElsewhere, readDrafts, type Draft } from './drafts.ts'
import { EMPTY_PLAN, listBatches, names, readPlanState } from './folder.ts'
import { readHold } from './hold.ts'
import { ItemsReader } from './items-file.ts'
import { KnownPaths, type KnownPath, type Proven, type Stated, type Unfetched } from './known-paths.ts'
import { LineSet } from './line-set.ts'
import type { DamagedLog } from './outcome-log.ts'
import { codeOf, Outcomes } from './outcomes.ts'
import { isUnreadable, unreadable } from './record.ts'

/** What is known of the bytes of a file. */
export interface Bytes {
  readonly size?: number | undefined
  readonly checksum?: Checksum | undefined
  /** Further digests of the same bytes. */
  readonly digests?: readonly Checksum[] | undefined
}

/** The record that knows a file: the line of a batch, or the dataset of a mirror, whose id `n` is then. */
export interface KnownBy {
  readonly batch: BatchId
  readonly n: number
  readonly mirror?: string | undefined
  /** PID; of a batch's file its plan tells. */
  readonly dataset?: string | undefined
}

type Digested = Pick<Bytes, 'digests'>

/** What was found at one path of a destination. */
export type Finding =
  | ({ readonly state: 'ok'; readonly path: string; readonly size: number; readonly checksum: Checksum } & Digested)
  /** Recorded without a checksum, so only its size could be compared. */
  | ({ readonly state: 'size-only'; readonly path: string; readonly size: number } & Digested)
  | ({ readonly state: 'missing'; readonly path: string; readonly expected: Bytes } & KnownBy)
  | ({
      readonly state: 'changed'
      /** `bit-rot`: of the right size, with other bytes. */
      readonly kind: 'bit-rot' | 'wrong-size'
      readonly path: string
      readonly expected: Bytes
      readonly found: Bytes
      /** Why its bytes cannot be read, such as a bad sector of a disk. */
      readonly why?: string | undefined
    } & KnownBy)
  | { readonly state: 'extra'; readonly path: string; readonly size: number }
  /** Asked for in a batch or shown by the server of a mirror, but never fetched; `why` is the code it failed with, or what it waits for. */
  | ({ readonly state: 'unfetched'; readonly path: string; readonly why: string | undefined } & KnownBy)
  /** Unreadable records, so that nothing can be said about what they should prove. */
  | { readonly state: 'unreadable'; readonly path: string; readonly message: string }

/** What was expected and what is there, where they differ, for people: `md5 d41d…`, or of a wrong size `99 bytes`. */
export function wordsOf(finding: Extract<Finding, { readonly expected: Bytes }>): {
  readonly expected: string
  readonly found: string
} {
  const found = finding.state === 'changed' ? finding.found : {}
  const isSize = finding.state === 'changed' && finding.kind === 'wrong-size'
  const text = (bytes: Bytes, other: Bytes): string => {
    const checksum = differing(bytes, other) ?? bytes.checksum
    if (checksum && !isSize) return `${checksum.algorithm} ${checksum.hex}`
    return bytes.size === undefined ? 'nothing' : `${bytes.size} bytes`
  }
  return { expected: text(finding.expected, found), found: text(found, finding.expected) }
}

/** The first of the checksums of `bytes` that `other` has differently. */
function differing(bytes: Bytes, other: Bytes): Checksum | undefined {
  const others = checksumsOf(other)
  return checksumsOf(bytes).find(({ algorithm, hex }) =>
    others.some((one) => one.algorithm === algorithm && one.hex !== hex),
  )
}

/** Checksums of what is committed at a path, in the order of `algorithms`, without those that cannot be told. */
export type HashPath = (path: string, algorithms: readonly Algorithm[], size: number) => Promise<readonly Checksum[]>

/** How far a verification is. */
export interface VerifyProgress {
  /** First all receipts are read, then all files are listed, then they are looked at. */
  phase: 'receipts' | 'listing' | 'files'
  /** Lines of all plans, and receipts read. */
  planned: number
  receipts: number
  /** Files listed, and their bytes. */
  files: number
  bytes: number
  /** Those of them that were looked at. */
  filesSeen: number
  bytesSeen: number
}

export interface VerifyOptions {
  readonly hash: HashPath
  /** Asked of every file, besides what is to be compared. Default none. */
  readonly digests?: readonly Algorithm[]
  readonly signal: AbortSignal
  /** Files read at the same time. Default 1. */
  readonly concurrency?: number
  /** Kept up to date for display. */
  readonly progress?: VerifyProgress
  /**
   * Chooses what is looked at, and in which order; default: everything, by path. Of what it is given all that can be told without
   * reading is known.
   */
  readonly choose?: (paths: AsyncIterable<KnownPath>, progress: VerifyProgress) => AsyncIterable<KnownPath>
  /** What earlier verifications have taken. */
  readonly proven?: AsyncIterable<Proven>
  /** Told of each batch that a command has only planned, whose files nobody has asked for, and how many lines its plan has. */
  readonly onDraft?: (batch: BatchId, planned: number) => void
  /** What is there, or should be, by other records than those of batches, by a name for those. */
  readonly also?: AsyncIterable<{ readonly id: BatchId; readonly receipts: AsyncIterable<Stated | Unfetched> }>
}

/** Files that are looked at while an earlier, larger one is not finished: findings come in order. */
const AHEAD = 2_000

export function newVerifyProgress(): VerifyProgress {
  return { phase: 'receipts', planned: 0, receipts: 0, files: 0, bytes: 0, filesSeen: 0, bytesSeen: 0 }
}

/**
 * Compares the newest receipt of every path of a destination with what `hash` finds there, names files that no receipt knows,
 * and those that were asked for and never fetched. In flat memory, whatever the number of receipts and files. Rejects with `NO_RECORDS` when
 * there is nothing to compare with, and with `TEMP_UNUSABLE`.
 */
export async function* verifyDestination(sink: Sink, options: VerifyOptions): AsyncGenerator<Finding> {
  const { signal, concurrency = 1, progress = newVerifyProgress(), choose, also, onDraft } = options
  const damaged: Finding[] = []
  const batches = await readBatches(sink, (name, { message }) => {
    damaged.push({ state: 'unreadable', path: `.dataferry/${name}`, message })
  })
  yield* damaged
  for (const { plan } of batches) progress.planned += plan?.items ?? 0
  await using known = new KnownPaths()
  for (const batch of batches) {
    for (const log of await addBatch(known, sink, batch, signal, progress)) yield damagedLog(log)
  }
  const drafts = batches.filter(({ draft }) => draft !== undefined)
  for (const { id, plan, draft } of drafts) if (!isShownElsewhere(draft)) onDraft?.(id, plan?.items ?? 0)
  let others = 0
  for await (const { id, receipts } of also ?? []) {
    others++
    for await (const receipt of receipts) {
      signal.throwIfAborted()
      await ('kind' in receipt ? known.addUnfetched(id, receipt) : known.addReceipt(id, receipt))
      progress.receipts++
    }
  }
  if (batches.length + others === drafts.length) {
    const place = shownUrl(sink.url)
    const why = drafts.length > 0 ? `what ${place} has was only planned` : `${place} has no records of dataferry`
    throw new DataferryError('NO_RECORDS', `There is nothing to compare with: ${why}.`)
  }
  for await (const one of options.proven ?? []) await known.addProven(one)
  progress.phase = 'listing'
  for await (const { path, size } of sink.list(signal)) {
    signal.throwIfAborted()
    await known.addListed(path, size)
    progress.files++
    progress.bytes += size
  }
  const located = (path: KnownPath): Promise<KnownPath> => locate(path, sink, signal)
  const paths = choose ? choose(mapInOrder(known.all(), { concurrency, ahead: AHEAD }, located), progress) : known.all()
  const look = async (path: KnownPath): Promise<readonly Finding[]> => {
    signal.throwIfAborted()
    progress.phase = 'files'
    const found = await findingsAt(path, sink, options)
    if (path.listed !== undefined) {
      progress.filesSeen++
      progress.bytesSeen += path.listed
    }
    return found
  }
  for await (const found of mapInOrder(paths, { concurrency, ahead: AHEAD }, look)) {
    signal.throwIfAborted()
    yield* found
  }
}

interface RecordedBatch {
  readonly id: BatchId
  /** Undefined when it cannot be read. */
  readonly plan: PlanState | undefined
  /** Somebody cancelled it: what it has not fetched is not waited for any more. */
  readonly isCancelled: boolean
  /** It was only planned: nobody has asked for its files. */
  readonly draft: Draft | undefined
}

/** Oldest first; those of which nothing but the name can be read come last. */
async function readBatches(
  { records }: Sink,
  onDamage: (name: string, error: DataferryError) => void,
): Promise<RecordedBatch[]> {
  const damaged: BatchId[] = []
  const readable = await listBatches(records, (id, error) => {
    damaged.push(id)
    onDamage(names.batch(id), error)
  })
  const known = new Set([...readable.map(({ id }) => id), ...damaged])
  for (const id of await records.folders()) {
    // A batch is begun with this record and dropped with it, so that only damage leaves receipts without it.
    if (known.has(id) || (await records.list(names.receipts(id))).length === 0) continue
    damaged.push(id)
    onDamage(names.batch(id), unreadable(`.dataferry/${names.batch(id)} is missing: put it back from a copy.`))
  }
  const drafts = await readDrafts(records)
  const batches: RecordedBatch[] = []
  for (const id of [...readable.map((batch) => batch.id), ...damaged]) {
    const isCancelled = (await readHold(records, id))?.state === 'cancelled'
    const plan = await readPlanState(records, id).catch((error: unknown) => {
      if (!isUnreadable(error)) throw error
      if (!isCancelled) onDamage(names.plan(id), error)
      return undefined
    })
    // An earlier version may have fetched a draft without unmarking it.
    const isTouched = drafts.has(id) && (await records.list(names.receipts(id))).length > 0
    batches.push({ id, plan, isCancelled, draft: isTouched ? undefined : drafts.get(id) })
  }
  return batches
}

/** @returns its logs of outcomes that cannot be read as a whole */
async function addBatch(
  known: KnownPaths,
  { records }: Sink,
  { id, plan, isCancelled, draft }: RecordedBatch,
  signal: AbortSignal,
  progress: VerifyProgress,
): Promise<readonly DamagedLog[]> {
  if (draft) return []
  const damaged: DamagedLog[] = []
  const outcomes = new Outcomes(records, id, plan === EMPTY_PLAN ? undefined : plan?.items)
  /** Lines of the plan about which nothing more is to be said. */
  const told = new LineSet()
  for await (const receipt of outcomes.everyReceipt((log) => damaged.push(log))) {
    signal.throwIfAborted()
    await known.addReceipt(id, receipt)
    told.add(receipt.n)
    progress.receipts++
  }
  // A process that was killed before its first outcome leaves an empty log.
  const withLines = damaged.filter(({ count }) => count > 0)
  if (isCancelled || plan === undefined || told.count >= plan.items) return withLines
  for await (const line of outcomes.unfetched()) {
    signal.throwIfAborted()
    await known.addUnfetched(id, { kind: 'unfetched', n: line.n, path: line.path, why: codeOf(line) })
    told.add(line.n)
  }
  const lost = told.count < plan.items ? damaged : withLines
  const items = new ItemsReader(records, id)
  for (let n = 0; n < plan.items; n++) {
    if (told.has(n)) continue
    signal.throwIfAborted()
    await known.addUnfetched(id, { kind: 'unfetched', n, path: (await items.item(n)).path })
  }
  return lost
}

function damagedLog({ name, count, first }: DamagedLog): Finding {
  const path = `.dataferry/${name}`
  if (first === undefined) return { state: 'unreadable', path, message: `${path} is empty: what it recorded is lost.` }
  const which =
    count === 1 ? `Line ${first} of ${path} is` : `${formatCount(count)} lines of ${path}, from line ${first} on, are`
  return { state: 'unreadable', path, message: `${which} damaged: what was recorded there is lost.` }
}

/** Looks for a file that is not in the listing: that does not follow links to folders; fetching does, as long as they stay inside. */
async function locate(known: KnownPath, sink: Sink, signal: AbortSignal): Promise<KnownPath> {
  const { path, listed, received } = known
  if (listed !== undefined || !received) return known
  const there = await sink.stat(path, itemKey(received.batch, received.n), signal)
  return there ? { ...known, listed: there.size } : known
}

async function findingsAt(known: KnownPath, sink: Sink, options: VerifyOptions): Promise<readonly Finding[]> {
  const { path, listed, received, unfetched } = known
  if (received) {
    const size = listed ?? (await locate(known, sink, options.signal)).listed
    const file = { path, ...knownBy(received), expected: bytesOf(received) }
    return [size === undefined ? { state: 'missing', ...file } : await compareFile(file, size, options)]
  }
  const findings: Finding[] = []
  if (listed !== undefined) findings.push({ state: 'extra', path, size: listed })
  if (unfetched) findings.push({ state: 'unfetched', path, ...knownBy(unfetched), why: unfetched.why })
  return findings
}

/** Compares what lies at a path with everything that is known of its bytes. */
export async function compareFile(
  { path, expected, ...by }: { readonly path: string; readonly expected: Bytes } & KnownBy,
  size: number,
  { hash, digests = [] }: Pick<VerifyOptions, 'hash' | 'digests'>,
): Promise<Finding> {
  const changed = { state: 'changed', path, ...by, expected } as const
  if (expected.size !== undefined && size !== expected.size) return { ...changed, kind: 'wrong-size', found: { size } }
  const known = checksumsOf(expected)
  const algorithms = [...new Set([...known.map(({ algorithm }) => algorithm), ...digests])]
  const found = algorithms.length === 0 ? [] : await hash(path, algorithms, size).catch(unlessOfFile)
  if (found instanceof DataferryError) return { ...changed, kind: 'bit-rot', found: { size }, why: found.message }
  const compared = known.filter(({ algorithm }) => found.some((one) => one.algorithm === algorithm))
  const [checksum, ...further] = found
  if (!checksum || compared.length === 0) return { state: 'size-only', path, size, ...digested(found) }
  const isRight = compared.every((one) => found.some((other) => sameChecksum(one, other)))
  if (isRight) return { state: 'ok', path, size, checksum, ...digested(further) }
  return { ...changed, kind: 'bit-rot', found: { size, checksum, ...digested(further) } }
}

/** An error that is about one file alone stops no other. */
function unlessOfFile(error: unknown): DataferryError {
  if (error instanceof DataferryError && (error.code === 'SINK_FAILED' || error.code === 'SINK_DENIED')) return error
  throw error
}

function knownBy({ batch, n, mirror, dataset }: KnownBy): KnownBy {
  return { batch, n, ...(mirror !== undefined && { mirror }), ...(dataset !== undefined && { dataset }) }
}

function bytesOf({ size, checksum, digests = [] }: Bytes): Bytes {
  return { ...(size !== undefined && { size }), ...(checksum && { checksum }), ...digested(digests) }
}

function digested(digests: readonly Checksum[]): Digested {
  return digests.length > 0 ? { digests } : {}
}
