import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { expect, it } from 'vitest'
import { Metrics } from '../../src/ledger/metrics.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { countKey, Counts } from '../../src/model/counts.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard } from './open-dashboard.ts'
import { itWithPromtool, promtool } from './promtool.ts'

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url))
const redis = useRedis()

/** Everything that can be told has a value. */
async function metricsText(): Promise<string> {
  const server = 'https://dv.example.edu'
  const metrics = new Metrics(redis.client, redis.prefix)
  const counts = new Counts()
  for (const outcome of ['done', 'kept', 'failed']) counts.ended(server, outcome, 1_234)
  counts.counter('received', server)(10 ** 13)
  for (const code of ['200', '206', '503', 'none']) counts.counter('answers', server, code)(3)
  counts.counter('held', server, 'outage')(61_500)
  await metrics.add(counts.take())
  await metrics.held(server, countKey('held', [server, 'outage']))
  const ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
  await ledger.open({
    id: 'b1',
    destination: 'file:///nowhere',
    servers: [server],
    createdAt: new Date().toISOString(),
  })
  await using board = await openTestDashboard(redis)
  return (await board.ask('/metrics')).text
}

itWithPromtool('the metrics follow the conventions of Prometheus', async () => {
  const { status, said } = promtool(['check', 'metrics'], await metricsText())
  expect({ status, said }).toEqual({ status: 0, said: '' })
})

itWithPromtool('the alert rules are rules, and fire when they should and only then', async () => {
  const rules = join(DEPLOY, 'prometheus-alerts.yml')
  expect(promtool(['check', 'rules', rules])).toMatchObject({ status: 0 })
  await using board = await openTestDashboard(redis)
  const file = join(board.folder, 'rules-test.yml')
  const defined = [...(await readFile(rules, 'utf8')).matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name ?? '')
  expect(CASES.map(({ alert }) => alert).sort()).toEqual([...defined].sort())
  await writeFile(file, JSON.stringify(ruleTests(rules, defined)))
  const { status, said } = promtool(['test', 'rules', file])
  expect({ status, said }).toEqual({ status: 0, said: expect.any(String) as string })
})

it('rules and charts ask only for metrics that there are', async () => {
  const told = await metricsText()
  const names = new Set([...told.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name))
  const asked = `${await readFile(join(DEPLOY, 'prometheus-alerts.yml'), 'utf8')}${await readFile(join(DEPLOY, 'grafana-dashboard.json'), 'utf8')}`
  for (const [name] of asked.matchAll(/dataferry_\w+/g))
    expect(names).toContain(name.replace(/_(bucket|sum|count)$/, ''))
  expect(parse(await readFile(join(DEPLOY, 'prometheus-alerts.yml'), 'utf8'))).toHaveProperty(
    'groups.0.name',
    'dataferry',
  )
})

interface AlertCase {
  readonly alert: string
  readonly severity?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly at: string
  /** Series by name and labels, in the notation of promtool. */
  readonly series: Readonly<Record<string, string>>
}

const INFO = { 'dataferry_build_info{version="1"}': '1+0x6000' }
/** Jobs in progress, and files that arrive. */
const BUSY = {
  ...INFO,
  dataferry_workers_wanted: '1+0x6000',
  'dataferry_stream_slots{server="a",state="granted"}': '4+0x6000',
  'dataferry_queue_items{server="a",state="active"}': '4+0x6000',
}
const ARRIVING = {
  'dataferry_received_bytes_total{server="a"}': '0+1000000x6000',
  'dataferry_items_settled_total{server="a",outcome="done"}': '0+60x6000',
}
const AT_A = { server: 'a' }

const CASES: readonly AlertCase[] = [
  { alert: 'DataferryAway', at: '1h', series: {} },
  {
    alert: 'DataferryServerOnHold',
    labels: AT_A,
    at: '2h',
    series: { ...INFO, 'dataferry_server_hold_seconds_total{server="a",reason="outage"}': '0+60x6000' },
  },
  {
    alert: 'DataferryServerPaused',
    severity: 'info',
    labels: AT_A,
    at: '25h',
    series: { ...INFO, 'dataferry_server_hold_seconds_total{server="a",reason="person"}': '0+60x6000' },
  },
  {
    alert: 'DataferryNobodyWorks',
    at: '1h',
    series: {
      ...BUSY,
      'dataferry_stream_slots{server="a",state="granted"}': '0+0x6000',
      'dataferry_queue_items{server="a",state="active"}': '0+0x6000',
    },
  },
  {
    alert: 'DataferryStalled',
    at: '2h',
    series: {
      ...BUSY,
      'dataferry_received_bytes_total{server="a"}': '1000+0x6000',
      'dataferry_items_settled_total{server="a",outcome="done"}': '60+0x6000',
    },
  },
  {
    alert: 'DataferryManyFailures',
    labels: AT_A,
    at: '2h',
    series: { ...BUSY, ...ARRIVING, 'dataferry_items_settled_total{server="a",outcome="failed"}': '0+4x6000' },
  },
  {
    alert: 'DataferryMirrorStale',
    labels: { mirror: 'climate' },
    at: '96h',
    series: { ...INFO, 'dataferry_mirror_last_success_timestamp_seconds{mirror="climate"}': '0+0x6000' },
  },
]

/** Nothing goes on, or everything well: nothing is to be told. Some failures, and a pause of hours, are part of that. */
const QUIET: readonly Readonly<Record<string, string>>[] = [
  {
    ...INFO,
    dataferry_workers_wanted: '0+0x6000',
    'dataferry_mirror_last_success_timestamp_seconds{mirror="climate"}': '0+60x6000',
  },
  {
    ...BUSY,
    ...ARRIVING,
    'dataferry_items_settled_total{server="a",outcome="failed"}': '0+2x6000',
    'dataferry_server_hold_seconds_total{server="a",reason="person"}': '0+60x600 36000+0x5400',
    'dataferry_server_hold_seconds_total{server="a",reason="throttle"}': '0+20x6000',
  },
]

/** Each alert fires where it should, and none where all is well. @param defined names of all alerts */
function ruleTests(rules: string, defined: readonly string[]): unknown {
  const input = (series: Readonly<Record<string, string>>) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
  })
  const firing = CASES.map(({ alert, severity = 'warning', labels = {}, at, series }) => {
    const all = { alertname: alert, alertstate: 'firing', ...labels, severity }
    const text = Object.entries(all).map(([name, value]) => `${name}="${value}"`)
    return {
      ...input(series),
      promql_expr_test: [
        {
          // Only this one: what is wrong is told once.
          expr: 'ALERTS{alertstate="firing"}',
          eval_time: at,
          exp_samples: [{ labels: `ALERTS{${text.join(',')}}`, value: 1 }],
        },
      ],
    }
  })
  const quiet = QUIET.map((series) => ({
    ...input(series),
    alert_rule_test: defined.flatMap((alertname) =>
      ['1h', '5h', '30h'].map((eval_time) => ({ alertname, eval_time, exp_alerts: [] })),
    ),
  }))
  return { rule_files: [rules], evaluation_interval: '1m', tests: [...firing, ...quiet] }
}
