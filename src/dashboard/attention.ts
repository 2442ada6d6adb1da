import { ERROR_CODES } from '../errors.ts'
import { pausedWith } from '../ledger/ledger.ts'
import { BY_SCHEDULE } from '../model/limit-holds.ts'
import { formatCount, plural } from '../model/format.ts'
import { areServed, isParked, type BatchStatus, type Status } from '../status.ts'
import type { Attention, DestinationView, WorkerView } from './api/schemas.ts'
import { later, resumeCommand } from './views.ts'
import { shellWord } from '../model/shell-word.ts'
import { shownUrl } from '../model/shown-url.ts'

/** A process that has not been heard for so long has lost its streams. */
const SILENT_S = 30

const ORDER = { person: 0, waiting: 1, failures: 2 } as const
/** Failures of the past are told of the newest batches only. */
const OLD_FAILURES = 5

/** What is wrong, and what waits and why: what nobody but a person can mend comes first. */
export function attentionOf(
  status: Status,
  workers: readonly WorkerView[],
  destinations: readonly DestinationView[],
  now: number,
): readonly Attention[] {
  const all = [
    ...nobodyWorks(status, workers),
    ...aboutTokens(status, 'refused'),
    ...aboutBatches(status),
    ...aboutServers(status, now),
    ...aboutDestinations(status, destinations, now),
    ...aboutTokens(status, 'expiring'),
    ...aboutWorkers(workers),
  ]
  return all.sort((a, b) => ORDER[a.urgency] - ORDER[b.urgency])
}

const NOTHING = { advice: null, since: null, nextLook: null } as const

function nobodyWorks({ batches, workers: records }: Status, workers: readonly WorkerView[]): Attention[] {
  const open = batches.filter(({ state, attached, open: left, planned }) => {
    return state === 'open' && !attached && (left > 0 || planned === 0)
  })
  const told = { ...NOTHING, urgency: 'person', kind: 'worker', subject: 'Workers' } as const
  const heard = new Set(workers.filter(isHeard).map(({ id }) => id))
  if (heard.size === 0 && open.length > 0) {
    const text = `${plural(open.length, 'batch waits', 'batches wait')} for a worker, and none is running.`
    return [{ ...told, text, advice: 'Start one on a machine that sees the destination: dataferry work' }]
  }
  const alive = records.filter(({ id }) => heard.has(id))
  return open
    .filter((batch) => !areServed(batch, alive))
    .map(({ id, destination, servers, tokenServers }) => {
      const token = tokenServers.length > 0 ? ', with their token,' : ''
      const text = `Waits for a worker that fetches from ${servers.join(', ')}${token} to ${shownUrl(destination)}.`
      const flags = servers.map((server) => `--server ${shellWord(server)}`)
      return {
        ...told,
        kind: 'batch' as const,
        subject: id,
        text,
        advice: `None that is running does. To start one: ${['dataferry work', ...flags].join(' ')}`,
      }
    })
}

function aboutBatches({ batches }: Status): Attention[] {
  const newestFirst = [...batches].sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  const told = { kind: 'batch', ...NOTHING } as const
  const urgent = newestFirst.flatMap((batch): Attention[] => {
    const { id: subject, state, reason } = batch
    if (state === 'paused' && reason === BY_SCHEDULE) {
      const text = `Paused: ${reason}.`
      return [
        {
          ...told,
          urgency: 'waiting',
          subject,
          text,
          advice: 'It goes on by itself in the next hours of its schedule.',
        },
      ]
    }
    if (state === 'paused') {
      const text = `Paused${reason === undefined ? '' : `: ${reason}`}`
      return [{ ...told, urgency: 'person', subject, text, advice: whenPaused(batch) }]
    }
    if (!isParked(batch) && batch.waiting > 0) {
      const text = `${plural(batch.waiting, 'file waits', 'files wait')} for access or for the end of an embargo.`
      const advice = 'It is looked again by itself whether they may be fetched.'
      const nextLook = batch.nextLook?.toISOString() ?? null
      return [{ ...told, urgency: 'waiting', subject, text, advice, nextLook }]
    }
    if (!isParked(batch)) return []
    const text = 'Parked: it goes on when its command is run again.'
    const advice = `Run the same command again, or leave it to the workers: ${resumeCommand(batch)} --enqueue`
    return [{ ...told, urgency: 'person', subject, text, advice }]
  })
  const failed = newestFirst.flatMap((batch): Attention[] => {
    if (batch.failed === 0 || batch.state === 'cancelled') return []
    const text = `${formatCount(batch.failed)} of ${plural(batch.planned, 'file')} failed.`
    const advice = 'Its page groups them by reason, each with what to do.'
    return [{ ...told, urgency: 'failures', subject: batch.id, text, advice }]
  })
  return [...urgent, ...failed.slice(0, OLD_FAILURES)]
}

/** What to do about a batch that was paused, by the code that its reason begins with. */
function whenPaused(batch: Pick<BatchStatus, 'reason'>): string {
  const error = pausedWith(batch)
  if (!error) return 'Continue it when the reason is gone.'
  const then = error.code === 'TOKEN_REJECTED' ? 'Start the workers again with it, then' : 'Then'
  return `${ERROR_CODES[error.code].advice} ${then} continue the batch.`
}

function aboutTokens({ tokens }: Status, which: 'refused' | 'expiring'): Attention[] {
  return tokens
    .filter(({ refusedSince }) => (refusedSince !== undefined) === (which === 'refused'))
    .map(({ server: subject, hosts, reason, refusedSince }) => {
      const where = `on ${hosts.join(', ')}`
      const told = { ...NOTHING, urgency: 'person', kind: 'token', subject } as const
      if (!refusedSince) return { ...told, text: reason, advice: `It is the one of the workers ${where}.` }
      const text = `The workers ${where} wait for a token: ${reason}`
      return { ...told, text, advice: 'They go on by themselves.', since: refusedSince.toISOString() }
    })
}

function aboutServers({ servers }: Status, now: number): Attention[] {
  return servers.flatMap(({ server, hold }): Attention[] => {
    if (!hold) return []
    const { by, reason, since, nextLookMs } = hold
    const urgency = by === 'person' ? 'person' : 'waiting'
    const text = by === 'person' ? `Paused: ${reason}` : `On hold: ${reason}`
    const advice = by === 'person' ? 'Continue it on its card below.' : 'It is tried again by itself.'
    const times = { since: since.toISOString(), nextLook: later(nextLookMs, now) }
    return [{ urgency, kind: 'server', subject: server, text, advice, ...times }]
  })
}

function aboutDestinations({ destinations }: Status, seen: readonly DestinationView[], now: number): Attention[] {
  const held = destinations.map(({ destination, host, hold }): Attention => {
    const { reason, since, nextLookMs } = hold
    return {
      urgency: 'person',
      kind: 'destination',
      subject: shownUrl(destination),
      text: `Cannot be used from ${host}: ${reason}`,
      advice: 'What was fetched is kept; it is tried again by itself.',
      since: since.toISOString(),
      nextLook: later(nextLookMs, now),
    }
  })
  const told = new Set(held.map(({ subject }) => subject))
  const wrong = seen.flatMap(({ destination: subject, wrong: count }): Attention[] => {
    if (count === 0) return []
    const text = `${plural(count, 'file is', 'files are')} missing or changed, as the last verification found.`
    const advice = 'The page Proof names them, and says how to fetch them again.'
    return [{ ...NOTHING, urgency: 'person', kind: 'destination', subject, text, advice }]
  })
  const others = seen.filter(({ destination, problem }) => problem !== null && !told.has(destination))
  return [
    ...held,
    ...wrong,
    ...others.map(({ destination, problem }): Attention => {
      const text = `Cannot be looked at from here: ${problem ?? ''}`
      return { ...NOTHING, urgency: 'waiting', kind: 'destination', subject: destination, text }
    }),
  ]
}

function aboutWorkers(workers: readonly WorkerView[]): Attention[] {
  return workers
    .filter(({ alive, silentSeconds }) => alive !== 'dead' && silentSeconds >= SILENT_S)
    .map(({ host, pid, silentSeconds, holds }) => ({
      ...NOTHING,
      urgency: 'waiting',
      kind: 'worker',
      subject: `process ${pid} on ${host}`,
      text: `Not heard for ${silentSeconds} s, with ${plural(holds.length, 'file')} in its hands.`,
      advice: 'Others take over what it held.',
    }))
}

export function isHeard({ alive, silentSeconds }: Pick<WorkerView, 'alive' | 'silentSeconds'>): boolean {
  return alive !== 'dead' && silentSeconds < SILENT_S
}
