import { createHmac } from 'node:crypto'
import { beforeEach, expect, it } from 'vitest'
import { Notifications } from '../../src/ledger/notifications.ts'
import { createLogger } from '../../src/log.ts'
import { NO_PROXIES } from '../../src/model/proxies.ts'
import type { NotifyEvent } from '../../src/notify/event.ts'
import { mail } from '../../src/notify/mail.ts'
import { Notifier } from '../../src/notify/notifier.ts'
import type { NotifyTarget } from '../../src/notify/target.ts'
import { webhook } from '../../src/notify/webhook.ts'
import { useRedis } from '../redis.ts'
import { startMailServer, startReceiver } from './receivers.ts'

const redis = useRedis()
const troubles: string[] = []
let prefix: string
let round = 0
let now: number
beforeEach(() => {
  troubles.length = 0
  prefix = `${redis.prefix}:${++round}`
  now = Date.parse('2026-11-27T03:00:00Z')
})

const signal = new AbortController().signal
const event = (more: Partial<NotifyEvent> = {}): NotifyEvent => ({
  id: 'batch:b:ended',
  kind: 'batch-failed',
  at: '2026-11-27T03:00:00.000Z',
  text: 'Batch b has ended: 2 files of 10 are not there.\r\nX-Other: no header',
  facts: { batch: 'b', failed: 2 },
  ...more,
})

function notifier(...targets: readonly NotifyTarget[]): Notifier {
  const notifications = new Notifications(redis.client, prefix)
  const clock = () => new Date(now)
  const onTrouble = (text: string) => troubles.push(text)
  return new Notifier({ notifications, targets, clock, log: createLogger('silent'), onTrouble, firstMs: 1_000 })
}

const hook = (url: string, kinds?: NotifyTarget['kinds']): NotifyTarget =>
  webhook({ url, secret: 'key', kinds, proxies: NO_PROXIES, ca: undefined })

it('the address of a webhook, which may be all that protects it, is not kept; what an earlier version kept counts', async () => {
  await using well = await startReceiver()
  await using bad = await startReceiver([500, 500])
  const one = notifier(hook(`${well.url}/secret-path`), hook(bad.url))
  await one.publish(event())
  await one.deliver(signal)
  const notifications = new Notifications(redis.client, prefix)
  const [id = '', kept = ''] = [...(await notifications.open())][0] ?? []
  expect(kept).toContain('"delivered":["webhook ')
  expect(kept).not.toContain('secret-path')
  await notifications.update(id, JSON.stringify({ event: event(), delivered: [`webhook ${well.url}/secret-path`] }))
  await one.deliver(signal)
  expect([well.received.length, bad.received.length]).toEqual([1, 2])
})

it('a receiver that fails first gets the event again, signed, under the same id, and once it took it no more', async () => {
  await using receiver = await startReceiver([500, 503])
  const one = notifier(hook(receiver.url))
  await one.publish(event())
  await one.deliver(signal)
  await one.deliver(signal)
  expect(receiver.received).toHaveLength(1)
  expect(troubles).toEqual([
    expect.stringMatching(/^the webhook at http:\/\/127[\d.]+:\d+ could not be told: it answered with 500$/),
  ])
  now += 1_000
  await one.deliver(signal)
  now += 1_999
  await one.deliver(signal)
  expect(receiver.received).toHaveLength(2)
  now += 1
  await one.deliver(signal)
  expect(receiver.received).toHaveLength(3)
  for (const { headers, body } of receiver.received) {
    expect(headers['x-dataferry-event']).toBe('batch:b:ended')
    expect(headers['x-dataferry-signature']).toBe(`sha256=${createHmac('sha256', 'key').update(body).digest('hex')}`)
    expect(JSON.parse(body)).toEqual({ v: 1, ...event() })
  }
  now += 86_400_000
  await one.publish(event())
  const restarted = notifier(hook(receiver.url))
  await restarted.publish(event())
  await restarted.deliver(signal)
  expect(receiver.received).toHaveLength(3)
})

it('who took an event is not told again while another one is tried, and who does not want it never is', async () => {
  await using good = await startReceiver()
  await using bad = await startReceiver([500])
  await using other = await startReceiver()
  const targets = [hook(good.url), hook(bad.url), hook(other.url, ['mirror-stale'])]
  await notifier(...targets).publish(event())
  await notifier(...targets).deliver(signal)
  now += 1_000
  await notifier(...targets).deliver(signal)
  expect([good, bad, other].map(({ received }) => received.length)).toEqual([1, 2, 0])
})

it('mail is sent over SMTP, again when it is refused, and foreign text is no header', async () => {
  await using server = await startMailServer(1)
  const to = ['a@example.org', 'b@example.org']
  const post = mail({
    smtp: server.url,
    password: undefined,
    from: 'df@example.org',
    to,
    kinds: undefined,
    ca: undefined,
  })
  const one = notifier(post)
  await one.publish(event())
  await one.deliver(signal)
  expect(troubles).toEqual([expect.stringContaining('mail to a@example.org, b@example.org could not be told')])
  now += 1_000
  await one.deliver(signal)
  expect(server.received).toHaveLength(2)
  const [head = '', ...rest] = server.received[1]?.body.split('\n\n') ?? []
  expect(head).toContain('Subject: dataferry: Batch b has ended: 2 files of 10 are not there.')
  expect(head).toContain('To: a@example.org, b@example.org')
  expect(head).not.toMatch(/^X-Other/m)
  expect(rest.join('\n')).toContain('failed: 2')
})

it('a password is not sent over a connection that others can read', async () => {
  await using server = await startMailServer()
  const smtp = server.url.replace('smtp://', 'smtp://me@')
  const post = mail({ smtp, password: 'p', from: 'a@b.example', to: ['c@d.example'], kinds: undefined, ca: undefined })
  await expect(post.send(event(), signal)).rejects.toThrow(/TLS|STARTTLS/i)
  expect(server.received).toEqual([])
})

it('what is never taken is given up after three days, and said', async () => {
  await using receiver = await startReceiver(Array.from({ length: 100 }, () => 500))
  const one = notifier(hook(receiver.url))
  await one.publish(event())
  for (let hour = 0; hour < 80; hour++) {
    await one.deliver(signal)
    now += 3_600_000
  }
  const before = receiver.received.length
  expect(troubles.at(-1)).toContain('was not told in three days')
  await one.deliver(signal)
  expect(receiver.received).toHaveLength(before)
})

it('an event that cannot be read is dropped, and stops no other', async () => {
  await using receiver = await startReceiver()
  await redis.client.hset(`${prefix}:notify:open`, 'x', '{"event":1}')
  const one = notifier(hook(receiver.url))
  await one.publish(event())
  await one.deliver(signal)
  expect(receiver.received).toHaveLength(1)
  expect(await new Notifications(redis.client, prefix).open()).toEqual(new Map())
})
