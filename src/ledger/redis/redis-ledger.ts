import { LRUCache } from 'lru-cache'
import { GroupCommit } from '../../async/group-commit.ts'
import { messageOf } from '../../errors.ts'
import type { BatchId } from '../../model/batch.ts'
import { bitsIn, setBits } from './redis-bits.ts'
import { once, type Patiently, type RedisClient } from './client.ts'
import { changeMessage } from '../change.ts'
import { entryFields, parseEntry, parseError, parseOwner, parseParts, parseSummary } from './fields.ts'
import { batchesKey, batchKeys, DEFAULT_PREFIX, eventsChannel } from './keys.ts'
import {
  OWNER_SILENT_MS,
  type BatchOwner,
  type BatchState,
  type Counts,
  type HeldLine,
  type Ledger,
  type LedgerBatch,
  type LedgerEntry,
  type LedgerError,
  type LineState,
  type Settled,
  type SettledLine,
  type Summary,
  type Taker,
  unknownBatch,
} from '../ledger.ts'
import {
  ARE_OPEN,
  ATTACH,
  CRASHED,
  DETACH,
  DISOWN,
  FORGET,
  KEEP_PART,
  MOVE_STATE,
  OPEN,
  PARTS,
  PLANNED,
  REOPEN,
  SET_LOOK,
  SETTLE,
  SETTLE_ALL,
  UPDATE,
} from './ledger-scripts.ts'
import { run, type Script } from './script.ts'

/** Most errors kept for each batch. Beyond that only the counters and the records have them. */
const KEPT_ERRORS = 100_000
/** Errors here are for an overview; the receipts have the full text. */
const MESSAGE_LENGTH = 500
/** Most lines in one call: Redis runs nothing else during a script. */
const LINES_A_CALL = 1000
/** Most lines of each batch whose parts are remembered. */
const KEPT_PARTS = 1_000
const BYTES_A_READ = 16 * 1024
/** Batches whose questions are grouped at the same time. */
const ASKED_BATCHES = 100

interface InitialState {
  readonly state: BatchState
  readonly reason: string
}
/** Whether a line may be taken up; false until that is answered. */
interface Line {
  readonly n: number
  isOpen: boolean
}

const OPEN_STATE: InitialState = { state: 'open', reason: '' }

export interface RedisLedgerOptions {
  /** Of every key; `{dataferry}` unless several dataferry deployments share one Redis. */
  readonly prefix?: string
  /** Runs everything that writes. Default: once. */
  readonly patiently?: Patiently
  /** Told each time that what stands where a batch should be is none: it counts as unknown, and is replaced when it is opened. */
  readonly onDamaged?: (id: BatchId) => void
}

/**
 * The ledger in Redis: two bits an item, and a third where items wait, so ten million items take 3.75 MB at most. Safe for any number of processes.
 * Writing to an unknown batch rejects with `BATCH_NOT_FOUND`. The caller closes `client`.
 */
export class RedisLedger implements Ledger {
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #patiently: Patiently
  readonly #onDamaged: (id: BatchId) => void
  /** Of the batches that are being worked on; two of one batch do no harm. */
  readonly #questions = new LRUCache<string, GroupCommit<Line>>({ max: ASKED_BATCHES })

  constructor(client: RedisClient, options: RedisLedgerOptions = {}) {
    const { prefix = DEFAULT_PREFIX, patiently = once, onDamaged = () => undefined } = options
    this.#client = client
    this.#prefix = prefix
    this.#patiently = patiently
    this.#onDamaged = onDamaged
  }

  async open(batch: LedgerBatch, { state, reason }: InitialState = OPEN_STATE): Promise<void> {
    const { batch: key } = this.#keys(batch.id)
    const fields = [...entryFields(batch), 'state', state, 'reason', reason]
    if ((await this.#look(batch.id)) === 'damaged') await this.#patiently(() => this.#client.del(key))
    await this.#run(OPEN, [batchesKey(this.#prefix), key], [batch.id, ...fields])
  }

  async get(id: BatchId): Promise<LedgerEntry | undefined> {
    const entry = await this.#look(id)
    if (entry === 'damaged') this.#onDamaged(id)
    return entry === 'damaged' ? undefined : entry
  }

  async list(): Promise<readonly LedgerEntry[]> {
    const ids = await this.#client.smembers(batchesKey(this.#prefix))
    const entries = await Promise.all(ids.map((id) => this.get(id)))
    return entries
      .filter((entry) => entry !== undefined)
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id))
  }

  async setState(id: BatchId, state: BatchState, reason = ''): Promise<void> {
    const args = [...this.#telling({ kind: 'batch', id, state }), 'state', state, 'reason', reason]
    await this.#write(id, UPDATE, [this.#keys(id).batch], args)
  }

  async moveState(id: BatchId, from: readonly BatchState[], to: BatchState): Promise<boolean> {
    const args = [...this.#telling({ kind: 'batch', id, state: to }), to, ...from]
    return (await this.#write(id, MOVE_STATE, [this.#keys(id).batch], args)) === 1
  }

  async setDestination(id: BatchId, destination: string): Promise<void> {
    const args = [...this.#telling({ kind: 'ready', id }), 'destination', destination]
    await this.#write(id, UPDATE, [this.#keys(id).batch], args)
  }

  async attach(id: BatchId, owner: BatchOwner, instead = ''): Promise<BatchOwner | undefined> {
    const args = [owner.id, JSON.stringify(owner), instead, OWNER_SILENT_MS]
    const reply = await this.#run(ATTACH, [this.#keys(id).batch], args)
    if (reply === -1) throw unknownBatch(id)
    return parseOwner(String(reply))
  }

  async disown(id: BatchId, owner: string): Promise<void> {
    await this.#run(DISOWN, [this.#keys(id).batch], [owner])
  }

  async detach(id: BatchId, tokenServers: readonly string[]): Promise<void> {
    await this.#write(id, DETACH, [this.#keys(id).batch], [JSON.stringify(tokenServers)])
  }

  async setPlanned(id: BatchId, planned: number, plannedBytes: number, complete: boolean): Promise<void> {
    const args = [...this.#telling({ kind: 'ready', id }), planned, plannedBytes, complete ? 1 : 0]
    await this.#write(id, PLANNED, [this.#keys(id).batch], args)
  }

  async isOpen(id: BatchId, n: number, taker: Taker): Promise<boolean> {
    const line: Line = { n, isOpen: false }
    await this.#questionsAbout(id, taker).add(line)
    return line.isOpen
  }

  settledIn(id: BatchId, from: number, to: number): Promise<readonly boolean[]> {
    return this.#bits(this.#keys(id).settled, from, to)
  }

  async statesIn(id: BatchId, from: number, to: number): Promise<readonly LineState[]> {
    const keys = this.#keys(id)
    const bitmaps = [keys.settled, keys.failed, keys.waiting] as const
    const [settled = [], failed = [], waiting = []] = await Promise.all(bitmaps.map((key) => this.#bits(key, from, to)))
    return settled.map((ended, i) => {
      if (failed[i]) return 'failed'
      if (waiting[i]) return 'waiting'
      return ended ? 'there' : 'open'
    })
  }

  async settle(id: BatchId, n: number, { state, bytes, error }: Settled): Promise<boolean> {
    const kept = error && JSON.stringify({ ...error, message: error.message.slice(0, MESSAGE_LENGTH) })
    const { batch, settled, failed, counters, errors, crashes, waiting } = this.#keys(id)
    const keys = [batch, settled, failed, counters, errors, crashes, waiting]
    const args = [n, state, bytes, kept ?? '', KEPT_ERRORS, ...this.#telling({ kind: 'ready', id })]
    return (await this.#write(id, SETTLE, keys, args)) === 1
  }

  async settleAll(id: BatchId, ends: readonly SettledLine[]): Promise<number> {
    if (ends.length === 0) return 0
    const { batch, settled, counters, crashes } = this.#keys(id)
    const lines = ends.flatMap(({ n, state, bytes }) => [n, state, bytes])
    const args = [...this.#telling({ kind: 'ready', id }), ...lines]
    return this.#write(id, SETTLE_ALL, [batch, settled, counters, crashes], args)
  }

  async reopen(id: BatchId, lines: readonly number[], from: 'failed' | 'waiting'): Promise<number> {
    const { batch, settled, counters, errors, crashes, ...bits } = this.#keys(id)
    const keys = [batch, settled, bits[from], counters, errors, crashes]
    let reopened = 0
    for (let i = 0; i < lines.length; i += LINES_A_CALL) {
      reopened += await this.#write(id, REOPEN, keys, [from, ...lines.slice(i, i + LINES_A_CALL)])
    }
    return reopened
  }

  firstOpen(id: BatchId): Promise<number> {
    // Without a range Redis counts the bits beyond the end as clear: all ones give the length, no key gives 0.
    return this.#client.bitpos(this.#keys(id).settled, 0)
  }

  async *failed(id: BatchId): AsyncGenerator<number> {
    const { failed } = this.#keys(id)
    const length = await this.#client.strlen(failed)
    for (let at = 0; at < length; at += BYTES_A_READ) {
      yield* setBits(await this.#client.getrangeBuffer(failed, at, at + BYTES_A_READ - 1), at * 8)
    }
  }

  async errorsAt(id: BatchId, lines: readonly number[]): Promise<readonly LedgerError[]> {
    return lines.length === 0 ? [] : this.#errorsOf(this.#keys(id).errors, lines)
  }

  async *errors(id: BatchId): AsyncGenerator<LedgerError> {
    const { errors } = this.#keys(id)
    let left = await this.#client.hlen(errors)
    let lines: number[] = []
    for await (const n of this.failed(id)) {
      if (left <= 0) return
      if (lines.push(n) < LINES_A_CALL) continue
      for (const error of await this.#errorsOf(errors, lines)) {
        left -= 1
        yield error
      }
      lines = []
    }
    if (lines.length > 0) yield* await this.#errorsOf(errors, lines)
  }

  async summary(id: BatchId): Promise<Summary> {
    const { batch, counters } = this.#keys(id)
    const [about = {}, counts = {}] = await Promise.all([this.#hash(batch), this.#hash(counters)])
    const summary = parseSummary(about, counts)
    if (!summary) throw unknownBatch(id)
    return summary
  }

  async keepPart(id: BatchId, n: number, bytes: number): Promise<void> {
    const { batch, settled, parts } = this.#keys(id)
    await run(this.#client, KEEP_PART, [batch, settled, parts], [n, bytes, KEPT_PARTS])
  }

  async parts(id: BatchId, held: readonly HeldLine[] = []): Promise<ReadonlyMap<number, number>> {
    const { settled, parts } = this.#keys(id)
    const now = held.flatMap(({ n, bytes }) => [n, bytes])
    return parseParts(await run(this.#client, PARTS, [settled, parts], now))
  }

  async nextLooks(id: BatchId): Promise<ReadonlyMap<string, number>> {
    const looks = (await this.#hash(this.#keys(id).looks)) ?? {}
    return new Map(Object.entries(looks).map(([server, at]) => [server, Number(at) || 0]))
  }

  async setNextLook(id: BatchId, server: string, at: number): Promise<void> {
    const { batch, looks } = this.#keys(id)
    await this.#write(id, SET_LOOK, [batch, looks], [server, at])
  }

  async crashed(id: BatchId, n: number): Promise<number> {
    const { batch, crashes } = this.#keys(id)
    return this.#write(id, CRASHED, [batch, crashes], [n])
  }

  async correct(id: BatchId, counts: Counts): Promise<void> {
    const { done, kept, failed, waiting, bytes, keptBytes } = counts
    const counters = { done, kept, failed, waiting, doneBytes: bytes, keptBytes }
    await this.#patiently(() => this.#client.hset(this.#keys(id).counters, counters))
  }

  async forget(id: BatchId): Promise<void> {
    const keys = [batchesKey(this.#prefix), ...Object.values(this.#keys(id))]
    await this.#run(FORGET, keys, [id, ...this.#telling({ kind: 'batch', id, state: 'forgotten' })])
  }

  async #look(id: BatchId): Promise<LedgerEntry | 'damaged' | undefined> {
    const hash = await this.#hash(this.#keys(id).batch)
    if (hash && Object.keys(hash).length === 0) return undefined
    return (hash && parseEntry(id, hash)) ?? 'damaged'
  }

  /** @returns undefined where something else than a hash is */
  async #hash(key: string): Promise<Readonly<Record<string, string>> | undefined> {
    return this.#client.hgetall(key).catch((error: unknown) => {
      if (messageOf(error).startsWith('WRONGTYPE')) return undefined
      throw error
    })
  }

  #keys(id: BatchId): ReturnType<typeof batchKeys> {
    return batchKeys(this.#prefix, id)
  }

  async #bits(key: string, from: number, to: number): Promise<readonly boolean[]> {
    if (to <= from) return []
    return bitsIn(await this.#client.getrangeBuffer(key, from >> 3, (to - 1) >> 3), from, to)
  }

  /** Asks about several lines in one call, those that come while another one is under way. */
  #questionsAbout(id: BatchId, { server, attached, withToken }: Taker): GroupCommit<Line> {
    const key = `${id} ${attached} ${withToken} ${server}`
    const known = this.#questions.get(key)
    if (known) return known
    const { batch, settled } = this.#keys(id)
    const questions = new GroupCommit<Line>(async (lines) => {
      const args = [attached ? 1 : 0, JSON.stringify(server), withToken ? 1 : 0, ...lines.map(({ n }) => n)]
      const answers = await this.#run(ARE_OPEN, [batch, settled], args)
      for (const [i, line] of lines.entries()) line.isOpen = Array.isArray(answers) && answers[i] === 1
    }, LINES_A_CALL)
    this.#questions.set(key, questions)
    return questions
  }

  /** Channel and message with which a script publishes a change. */
  #telling(change: Parameters<typeof changeMessage>[0]): [channel: string, message: string] {
    return [eventsChannel(this.#prefix), changeMessage(change)]
  }

  async #write(id: BatchId, script: Script, keys: string[], args: readonly (string | number)[]): Promise<number> {
    const result = Number(await this.#run(script, keys, args))
    if (result < 0) throw unknownBatch(id)
    return result
  }

  #run(script: Script, keys: string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#patiently(() => run(this.#client, script, keys, args))
  }

  async #errorsOf(key: string, lines: readonly number[]): Promise<LedgerError[]> {
    const texts = await this.#client.hmget(key, ...lines.map(String))
    return lines.flatMap((n, i) => parseError(n, texts[i]) ?? [])
  }
}
