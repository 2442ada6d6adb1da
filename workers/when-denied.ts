import {
  readAccessRequest,
  removeAccessRequest,
  writeAccessRequest,
  type AccessRequest,
} from '../src/batch/access-request.ts'
import { readBatch } from '../src/batch/folder.ts'
import { DataferryError } from '../src/errors.ts'
import type { BatchAccess } from '../src/model/batch.ts'
import { noonOf } from '../src/model/calendar.ts'
import type { FileAccess, FileFacts } from '../src/model/file-access.ts'
import type { Item } from '../src/model/item.ts'
import { failureFor, waitingFor, type Outcome } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'

export interface AccessDeps {
  readonly access: (server: string) => FileAccess
  readonly now: () => Date
}

/** A file that the server does not let this user download. */
interface Denied {
  readonly item: Item
  readonly opened: OpenBatch
  /** Bytes of it that have come: with any, the right to have it was withdrawn. */
  readonly bytes: number
  readonly signal: AbortSignal
}

/** Where a batch does not say how long an answer to a request is waited for. */
const TIMEOUT_MS = 90 * 86_400_000

/**
 * What becomes of a file whose download was refused: it waits, or fails with what is known about why. Requests access where the
 * batch is to do so, once. Throws what was thrown again where there is nothing to add.
 */
export async function whenDenied(error: unknown, denied: Denied, deps: AccessDeps): Promise<Outcome> {
  const { item, opened } = denied
  if (!isDenial(error) || item.ref.kind !== 'file') throw error
  const { records } = opened.sink
  const request = await readAccessRequest(records, opened.batch.id, item.n)
  // A command may have changed it while this process has the batch open.
  const access = (await readBatch(records, opened.batch.id))?.access
  const facts = await factsOf(denied, request, access, deps)
  if (facts.withheld === 'restricted') return restricted(error, denied, request, access, deps)
  if (facts.withheld === undefined || facts.withheldDay === undefined) throw error
  if (facts.withheld === 'embargoed') return embargoed(item, facts.withheldDay, access, deps)
  const message = `${item.server} lets nobody download it any more: its retention period ended on ${facts.withheldDay}.`
  return failureFor(item, 'SOURCE_RETENTION_OVER', message)
}

function isDenial(error: unknown): error is DataferryError {
  return error instanceof DataferryError && error.code === 'SOURCE_DENIED' && error.status === 403
}

/** What the plan knows, unless that has changed since or is not enough: then the server is asked. */
async function factsOf(
  { item: { withheld, withheldDay, ref, server }, signal }: Denied,
  request: AccessRequest | undefined,
  batch: BatchAccess | undefined,
  { access, now }: AccessDeps,
): Promise<FileFacts> {
  const isEnough =
    withheld === 'restricted' ||
    (withheldDay !== undefined && (withheld !== 'embargoed' || noonOf(withheldDay) > now()))
  if (withheld && isEnough && !request) return { withheld, ...(withheldDay !== undefined && { withheldDay }) }
  if (ref.kind !== 'file' || (!withheld && !batch)) return {}
  try {
    return await access(server).facts(ref.file, signal)
  } catch (error) {
    // Its description is withheld, too: there is nothing to add.
    if (error instanceof DataferryError && error.remedy === 'fail') return {}
    throw error
  }
}

function embargoed(item: Item, day: string, access: BatchAccess | undefined, { now }: AccessDeps): Outcome {
  const until = noonOf(day)
  const left = until.getTime() - now().getTime()
  const why = `${item.server} keeps it under embargo until ${day}.`
  if (!access?.waitFor.includes('embargo')) return failureFor(item, 'SOURCE_EMBARGOED', why)
  if (left > access.waitAtMostMs)
    return failureFor(item, 'SOURCE_EMBARGOED', `${why} That is longer than --wait-at-most allows to wait.`)
  const known = { message: why, since: now().toISOString(), until: until.toISOString() }
  return waitingFor('embargo', item, known)
}

async function restricted(
  error: DataferryError,
  denied: Denied,
  request: AccessRequest | undefined,
  access: BatchAccess | undefined,
  deps: AccessDeps,
): Promise<Outcome> {
  const { item, opened, bytes } = denied
  if (request?.state === 'rejected') {
    // Whether it was this one is not certain: tried again, the file waits again.
    await writeAccessRequest(opened.sink.records, opened.batch.id, item.n, { ...request, state: 'asked' })
    const message = `The request of ${request.at.slice(0, 10)} for access to it was rejected.`
    return failureFor(item, 'ACCESS_REJECTED', message)
  }
  // With some of its bytes here, the right to have it was withdrawn.
  if (bytes > 0 || (!request && access?.request !== true)) throw error
  const { at } = request?.state === 'asked' ? request : await ask(denied, request, deps)
  const until = new Date(Date.parse(at) + (access?.timeoutMs ?? TIMEOUT_MS))
  if (until <= deps.now()) {
    const message = `Access to it was requested on ${at.slice(0, 10)}, and nobody has answered.`
    return failureFor(item, 'ACCESS_UNANSWERED', message)
  }
  const message = `Access to it was requested on ${at.slice(0, 10)}.`
  return waitingFor('access', item, { message, since: at, until: until.toISOString() })
}

/**
 * Requests access. What is about to be sent is on record before, so that a crash in between leads to no second request: then the
 * server is asked whether it arrived.
 */
async function ask(denied: Denied, before: AccessRequest | undefined, deps: AccessDeps): Promise<AccessRequest> {
  const { item, opened, signal } = denied
  const { records } = opened.sink
  const { n, ref, server } = item
  const file = ref.kind === 'file' ? ref.file : 0
  const write = (request: AccessRequest): Promise<void> => writeAccessRequest(records, opened.batch.id, n, request)
  const api = deps.access(server)
  const hasRequested = await api.hasRequested(file, signal)
  const arrived = before !== undefined && hasRequested && before.again !== true
  const again = before?.again ?? (before === undefined && hasRequested ? true : undefined)
  const request = { v: 1 as const, at: before?.at ?? deps.now().toISOString(), ...(again && { again }) }
  if (!arrived) {
    await write({ ...request, state: 'asking' })
    const requested = await api.request(file, signal).catch(async (error: unknown) => {
      // An answer means that none was made.
      if (isAnswer(error)) await removeAccessRequest(records, opened.batch.id, n)
      throw error
    })
    if (requested.kind === 'refused') {
      await removeAccessRequest(records, opened.batch.id, n)
      const message = `It is restricted, and access to it could not be requested: ${requested.why}`
      throw new DataferryError('SOURCE_DENIED', message, { status: 403 })
    }
    opened.log.info({ n, path: item.path, request: requested.kind }, 'access requested')
  }
  const asked = { ...request, state: 'asked' as const }
  await write(asked)
  return asked
}

function isAnswer(error: unknown): boolean {
  return error instanceof DataferryError && error.status !== undefined && error.status < 500
}
