import { expect } from 'vitest'
import { itWithPromtool, promtool } from '../dashboard/promtool.ts'
import type { Started } from './cli.ts'
import { until } from './service.ts'
import { useServing } from './serving.ts'

const service = useServing()

itWithPromtool('serve, work and dashboard tell the same of what was fetched, in the words of Prometheus', async () => {
  await service.overdueMirror()
  const serving = service.serve('--port', '0')
  const run = await service.untilEnded()
  const others = [
    service.home.start(['work', '--server', service.url(), '--processes', '1', '--metrics-port', '0']),
    service.home.start(['work', '--server', service.url(), '--processes', '2', '--metrics-port', '0']),
    service.home.start(['dashboard', '--port', '0']),
  ]
  try {
    const server = service.url()
    expect((await service.home.run(['pause', '--only-server', server])).code).toBe(0)
    for (const one of [serving, ...others]) {
      const url = await until('its address', () => Promise.resolve(metricsUrl(one)))
      const text = await until('it is told that the server is on hold', async () => {
        const told = await (await fetch(url)).text()
        return told.includes('dataferry_server_hold_seconds_total{') && told
      })
      expect(promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' })
      const found = samplesOf(text)
      const label = `server="${server}"`
      expect(found).toMatchObject({
        [`dataferry_items_settled_total{${label},outcome="done"}`]: 2,
        [`dataferry_received_bytes_total{${label}}`]: (24 << 20) + 'small'.length,
        [`dataferry_http_responses_total{${label},code="200"}`]: expect.any(Number) as number,
        [`dataferry_server_hold_seconds_total{${label},reason="person"}`]: expect.any(Number) as number,
        'dataferry_transfer_duration_seconds_bucket{le="+Inf"}': 2,
        dataferry_transfer_duration_seconds_count: 2,
        [`dataferry_queue_items{${label},state="waiting"}`]: 0,
        [`dataferry_stream_slots{${label},state="limit"}`]: 0,
        dataferry_workers_wanted: 0,
      })
      expect(found[`dataferry_http_responses_total{${label},code="200"}`]).toBeGreaterThanOrEqual(2)
      expect(found[`dataferry_server_hold_seconds_total{${label},reason="person"}`]).toBeGreaterThan(0)
      const success = found['dataferry_mirror_last_success_timestamp_seconds{mirror="m"}'] ?? 0
      expect(success * 1_000).toBeGreaterThan(Date.parse(run.startedAt))
      expect(success * 1_000).toBeLessThanOrEqual(Date.now())
      const info = Object.keys(found).filter((key) => key.startsWith('dataferry_build_info{'))
      expect(info).toEqual([expect.stringMatching(/version="[\d.]+",node="[\d.]+"/)])
    }
  } finally {
    for (const { child } of others) child.kill('SIGTERM')
    for (const { ended } of others) expect((await ended).code).toBe(0)
  }
  expect((await service.stop(serving)).code).toBe(0)
})

/** Where a command says that its metrics are; a dashboard has them, too. */
function metricsUrl(started: Started): string | undefined {
  const [, port] = /(?:Metrics are|dashboard is) at http:\/\/localhost:(\d+)/.exec(started.said()) ?? []
  return port && `http://127.0.0.1:${port}/metrics`
}

/** Values by name and labels. */
function samplesOf(text: string): Readonly<Record<string, number>> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}
