import type { Context } from 'hono'
import { Counter, Gauge, Registry } from 'prom-client'
import { DATAFERRY_VERSION } from '../dataverse/version.ts'
import type { Metrics, Total, Totals } from '../ledger/metrics.ts'
import { countKey, DURATIONS_S } from '../model/counts.ts'
import type { MirrorView } from './api/schemas.ts'
import type { Observer, Seen } from './observer.ts'
import { refuseFor } from './refusal.ts'

/** What `/metrics` answers with. */
export interface MetricsText {
  readonly type: string
  readonly text: string
}

export interface MetricsSources {
  readonly metrics: Metrics
  readonly observer: Observer
  readonly mirrors: () => Promise<readonly MirrorView[]>
}

/**
 * The metrics of one Redis, in the words of Prometheus. Labels are servers, states and mirrors: never a file, a batch or a dataset, of
 * which there is no end. Rejects with `REDIS_UNAVAILABLE`.
 */
export async function metricsText({ metrics, observer, mirrors }: MetricsSources): Promise<MetricsText> {
  const [totals, seen, kept] = await Promise.all([metrics.read(), observer.look(), mirrors()])
  const registry = new Registry()
  addCounters(registry, totals)
  addGauges(registry, seen, kept)
  return { type: registry.contentType, text: `${await registry.metrics()}\n${durationsText(totals.duration)}` }
}

/** Answers a request for `/metrics`. */
export async function answerMetrics(context: Context, metrics: () => Promise<MetricsText>): Promise<Response> {
  try {
    const { type, text } = await metrics()
    return context.body(text, 200, { 'Content-Type': type })
  } catch (error) {
    return refuseFor(context, error)
  }
}

/** Tells how long servers are on hold; to be repeated every few seconds by whoever looks at them. */
export async function countHolds(metrics: Metrics, { servers }: Pick<Seen, 'servers'>): Promise<void> {
  await Promise.all(
    servers.map(({ server, hold }) => metrics.held(server, hold ? countKey('held', [server, hold.by]) : undefined)),
  )
}

function addCounters(registry: Registry, totals: Totals): void {
  const counter = (name: string, help: string, labelNames: string[], found: readonly Total[], scale = 1): void => {
    const made = new Counter({ name, help, labelNames, registers: [registry] })
    for (const { labels, value } of found) made.inc({ ...labels }, value * scale)
  }
  counter(
    'dataferry_items_settled_total',
    'Items that have ended, by outcome: done, kept or failed.',
    ['server', 'outcome'],
    totals.settled,
  )
  counter('dataferry_received_bytes_total', 'Bytes of files received from servers.', ['server'], totals.received)
  counter(
    'dataferry_http_responses_total',
    'Answers of servers by status; none: the request failed.',
    ['server', 'code'],
    totals.answers,
  )
  counter(
    'dataferry_server_hold_seconds_total',
    'Time that servers were on hold while somebody looked.',
    ['server', 'reason'],
    totals.held,
    0.001,
  )
}

const DURATION = 'dataferry_transfer_duration_seconds'

/** Transfers by how long they took. Counted elsewhere, which no `Histogram` can take over, so it is written here. */
function durationsText(counted: readonly Total[]): string {
  const counts = new Map(counted.map(({ labels, value }) => [labels['bucket'], value]))
  let sum = 0
  const buckets = [...DURATIONS_S, '+Inf'].map((le, i) => {
    sum += counts.get(String(i)) ?? 0
    return `${DURATION}_bucket{le="${le}"} ${sum}`
  })
  return [
    `# HELP ${DURATION} From the start of the work on an item to its end.`,
    `# TYPE ${DURATION} histogram`,
    ...buckets,
    `${DURATION}_sum ${(counts.get('sum') ?? 0) / 1_000}`,
    `${DURATION}_count ${sum}`,
    '',
  ].join('\n')
}

function addGauges(registry: Registry, { servers, overview }: Seen, mirrors: readonly MirrorView[]): void {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge => {
    return new Gauge({ name, help, labelNames, registers: [registry] })
  }
  const queue = gauge('dataferry_queue_items', 'Jobs of the window by state; the plan may hold many more items.', [
    'server',
    'state',
  ])
  const slots = gauge('dataferry_stream_slots', 'Streams of a server: limit, granted to processes, wanted by them.', [
    'server',
    'state',
  ])
  for (const { server, waiting, active, delayed, limit, streams, hold } of servers) {
    for (const [state, count] of Object.entries({ waiting, active, delayed })) queue.set({ server, state }, count)
    const open = hold?.by === 'person' ? 0 : limit
    for (const [state, count] of Object.entries({ limit: open, ...streams })) slots.set({ server, state }, count)
  }
  const success = gauge(
    'dataferry_mirror_last_success_timestamp_seconds',
    'When the last complete run of a mirror ended.',
    ['mirror'],
  )
  for (const { name, lastSuccess } of mirrors) {
    if (lastSuccess !== null) success.set({ mirror: name }, Date.parse(lastSuccess) / 1_000)
  }
  gauge('dataferry_workers_wanted', 'Worker processes that could do something now; 0: nothing is to be done.').set(
    overview.workers.wanted,
  )
  gauge('dataferry_build_info', 'Always 1.', ['version', 'node']).set(
    { version: DATAFERRY_VERSION, node: process.versions.node },
    1,
  )
}
