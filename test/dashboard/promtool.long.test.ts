import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
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

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url))
const UNPACKED = fileURLToPath(
  new URL('../../node_modules/.cache/dataferry/prometheus/usr/bin/promtool', import.meta.url),
)
const PROMTOOL = [process.env['PROMTOOL'], UNPACKED, '/usr/bin/promtool'].find(
  (path) => path !== undefined && existsSync(path),
)
const redis = useRedis()

if (PROMTOOL === undefined) {
  const loud =
    'promtool is not installed (package prometheus, or PROMTOOL with its path): metrics and rules are not checked.'
  if (process.env['CI']) throw new Error(loud)
  process.stderr.write(`SKIPPED: ${loud}\n`)
}
const itWithPromtool = PROMTOOL === undefined ? it.skip : it

function promtool(args: readonly string[], input = ''): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(PROMTOOL ?? '', args, { input, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

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
  await writeFile(file, JSON.stringify(ruleTests(rules)))
  expect(promtool(['test', 'rules', file])).toMatchObject({ status: 0 })
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

/** An idle dashboard fires nothing; a server that is away and a mirror that is stale do. */
function ruleTests(rules: string): unknown {
  const info = { series: 'dataferry_build_info{version="1"}', values: '1+0x6000' }
  const quiet = [
    info,
    { series: 'dataferry_workers_wanted', values: '0+0x6000' },
    { series: 'dataferry_mirror_last_success_timestamp_seconds{mirror="climate"}', values: '0+60x6000' },
  ]
  const alerts = [
    'DataferryAway',
    'DataferryServerOnHold',
    'DataferryNobodyWorks',
    'DataferryManyFailures',
    'DataferryMirrorStale',
  ]
  const silent = (eval_time: string) => alerts.map((alertname) => ({ alertname, eval_time, exp_alerts: [] }))
  return {
    rule_files: [rules],
    evaluation_interval: '1m',
    tests: [
      { interval: '1m', input_series: quiet, alert_rule_test: silent('5h') },
      {
        interval: '1m',
        input_series: [
          info,
          { series: 'dataferry_workers_wanted', values: '2+0x6000' },
          { series: 'dataferry_stream_slots{server="a",state="granted"}', values: '0+0x6000' },
          { series: 'dataferry_queue_items{server="a",state="active"}', values: '0+0x6000' },
        ],
        promql_expr_test: [
          {
            expr: 'ALERTS{alertname="DataferryNobodyWorks",alertstate="firing"}',
            eval_time: '1h',
            exp_samples: [
              { labels: 'ALERTS{alertname="DataferryNobodyWorks",alertstate="firing",severity="warning"}', value: 1 },
            ],
          },
        ],
      },
      {
        interval: '1m',
        input_series: [
          info,
          { series: 'dataferry_server_hold_seconds_total{server="a",reason="outage"}', values: '0+60x6000' },
          { series: 'dataferry_mirror_last_success_timestamp_seconds{mirror="climate"}', values: '0+0x6000' },
        ],
        promql_expr_test: [
          {
            expr: 'ALERTS{alertname="DataferryServerOnHold",alertstate="firing"}',
            eval_time: '2h',
            exp_samples: [
              {
                labels: 'ALERTS{alertname="DataferryServerOnHold",alertstate="firing",server="a",severity="warning"}',
                value: 1,
              },
            ],
          },
          {
            expr: 'ALERTS{alertname="DataferryMirrorStale",alertstate="firing"}',
            eval_time: '96h',
            exp_samples: [
              {
                labels:
                  'ALERTS{alertname="DataferryMirrorStale",alertstate="firing",mirror="climate",severity="warning"}',
                value: 1,
              },
            ],
          },
        ],
      },
      {
        interval: '1m',
        input_series: [],
        promql_expr_test: [
          {
            expr: 'ALERTS{alertname="DataferryAway",alertstate="firing"}',
            eval_time: '1h',
            exp_samples: [
              { labels: 'ALERTS{alertname="DataferryAway",alertstate="firing",severity="warning"}', value: 1 },
            ],
          },
        ],
      },
    ],
  }
}
