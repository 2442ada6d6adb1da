import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { RedisPlayer } from '../../scripts/chaos/redis-player.ts'
import { EVENT_KINDS, type EventKind } from '../../src/notify/event.ts'
import { startMailServer, startReceiver, type Receiver } from '../notify/receivers.ts'
import { until } from './service.ts'
import { processOf, useServing } from './serving.ts'

const service = useServing()
const SECRET = 'a secret of the receiver'

test('everything that people are told of happens, and is told once, by webhook and mail, over machines and restarts', async () => {
  await using hook = await startReceiver()
  await using post = await startMailServer()
  const redis = await RedisPlayer.start(join(service.home.folder, 'redis'))
  const env = { REDIS_URL: redis.url, HOOK_SECRET: SECRET }
  const enqueue = async (what: string, to: string): Promise<void> => {
    const place = ['--server', service.url(), '--to', join(service.home.folder, to)]
    expect([0, 1]).toContain((await service.home.run(['enqueue', what, ...place], env)).code)
  }
  try {
    writeFileSync(join(service.home.folder, 'dataferry.config.json'), JSON.stringify(configFor(hook, post)))
    await service.overdueMirror()
    // Its record is damaged before anybody works on it.
    await enqueue('doi:10.5072/FK2/A', 'damaged')
    await damage(join(service.home.folder, 'damaged', '.dataferry'))

    const one = service.serveIn(env)
    const other = service.serveIn({ ...env, DATAFERRY_STATE_DIR: join(service.home.folder, 'other') })
    await untilTold(hook, 'batch-waits')
    await untilTold(hook, 'mirror-changed')
    await untilTold(hook, 'mirror-stale')
    await enqueue('2', 'whole')
    await untilTold(hook, 'batch-finished')
    await enqueue('4711', 'failing')
    await untilTold(hook, 'batch-failed')
    await service.slow(true)
    const large = ['run', '1', '--server', service.url(), '--to', join(service.home.folder, 'slow')]
    const added = await service.home.run(['schedule', 'add', 'often', '--cron', '*/2 * * * * *', '--', ...large])
    expect([added.code, added.stderr]).toEqual([0, ''])
    await untilTold(hook, 'schedule-skipped')
    await service.home.run(['schedule', 'remove', 'often'])
    // Nothing else tells of what a verification finds.
    const whole = join(service.home.folder, 'whole')
    for (const name of (await readdir(whole)).filter((one) => one !== '.dataferry')) {
      await rm(join(whole, name), { recursive: true })
    }
    await service.home.run(['schedule', 'add', 'check', '--cron', '*/5 * * * * *', '--', 'verify', whole])
    await untilTold(hook, 'schedule-failed')
    await service.home.run(['schedule', 'remove', 'check'])
    await service.slow(false)
    await untilMailed(post, hook)

    // Whoever tells dies, and the whole service of one machine, too.
    process.kill(processOf('notifications', other), 'SIGKILL')
    one.child.kill('SIGKILL')
    await one.ended
    service.serveIn(env)
    const before = hook.received.length
    await enqueue('2', 'later')
    await until('more is told', () => Promise.resolve(hook.received.length > before))
    await untilMailed(post, hook)

    expect(kindsOf(hook)).toEqual(new Set(EVENT_KINDS.filter((kind) => kind !== 'test')))
    for (const receiver of [hook, post]) expect(idsOf(receiver)).toEqual([...new Set(idsOf(receiver))])
    for (const { headers, body } of hook.received) {
      const signature = createHmac('sha256', SECRET).update(body).digest('hex')
      expect(headers['x-dataferry-signature']).toBe(`sha256=${signature}`)
    }
  } finally {
    await redis.stop()
  }
})

function configFor(hook: Receiver, post: Receiver): unknown {
  return {
    notify: {
      webhooks: [{ url: hook.url, secretEnv: 'HOOK_SECRET' }],
      mail: { smtp: post.url, from: 'dataferry@example.org', to: ['team@example.org'] },
      staleAfter: '3s',
    },
  }
}

/** Cuts the record of the only batch at a destination. */
async function damage(records: string): Promise<void> {
  const [batch = ''] = (await readdir(records)).filter((name) => /-[0-9]{8}-/.test(name))
  await writeFile(join(records, batch, 'batch.json'), '{"v":1,')
}

const eventSchema = z.object({ kind: z.enum(EVENT_KINDS) })

function kindsOf({ received }: Receiver): ReadonlySet<string> {
  return new Set(received.map(({ body }) => eventSchema.parse(JSON.parse(body)).kind))
}

/** Of what was received, in order; a mail has it in a header as well. */
function idsOf({ received }: Receiver): readonly string[] {
  return received.map(({ headers, body }) =>
    String(headers['x-dataferry-event'] ?? decodeURIComponent(/^X-Dataferry-Event:\s+(\S+)/m.exec(body)?.[1] ?? '')),
  )
}

async function untilTold(hook: Receiver, kind: EventKind): Promise<void> {
  await until(kind, () => Promise.resolve(kindsOf(hook).has(kind)))
}

async function untilMailed(post: Receiver, hook: Receiver): Promise<void> {
  await until('mails', () => Promise.resolve(idsOf(hook).every((id) => idsOf(post).includes(id))))
}
