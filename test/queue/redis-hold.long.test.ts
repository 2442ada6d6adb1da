import { rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import type { RedisClient } from '../../src/ledger/redis/client.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { noticeText, type Wait } from '../../src/model/notice.ts'
import { connect } from '../../src/queue/connection.ts'
import { refusalOf } from '../../src/queue/redis-error.ts'
import { RedisHold } from '../../src/queue/redis-hold.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'
import { mkdir } from 'node:fs/promises'
import { useRedisServers } from './redis-servers.ts'

const servers = useRedisServers()
const BATCH = { id: 'b-1', destination: 'file:///data', servers: ['https://a.example'], createdAt: 'now' }

interface Case {
  readonly code: string
  readonly words: RegExp
  /** Makes Redis refuse writes, and takes them again. */
  readonly refuse: (client: RedisClient, folder: string) => Promise<unknown>
  readonly accept: (client: RedisClient) => Promise<unknown>
}

const CASES: Readonly<Record<string, Case>> = {
  'is full': {
    code: 'REDIS_FULL',
    words: /is full: .*maxmemory/,
    refuse: (client) => client.config('SET', 'maxmemory', '1'),
    accept: (client) => client.config('SET', 'maxmemory', '0'),
  },
  'is a replica': {
    code: 'REDIS_READ_ONLY',
    words: /is a replica, which takes no writes/,
    refuse: (client) => client.call('REPLICAOF', '127.0.0.1', '1'),
    accept: (client) => client.call('REPLICAOF', 'NO', 'ONE'),
  },
  'lacks replicas': {
    code: 'REDIS_READ_ONLY',
    words: /min-replicas-to-write/,
    refuse: (client) => client.config('SET', 'min-replicas-to-write', '1'),
    accept: (client) => client.config('SET', 'min-replicas-to-write', '0'),
  },
  'cannot save': {
    code: 'REDIS_READ_ONLY',
    words: /cannot save them to its disk/,
    refuse: async (client, folder) => {
      await client.config('SET', 'save', '3600 1')
      await rm(folder, { recursive: true })
      await client.bgsave()
      while (!(await client.info('persistence')).includes('rdb_last_bgsave_status:err')) await client.dbsize()
    },
    accept: (client) => client.config('SET', 'stop-writes-on-bgsave-error', 'no'),
  },
}

it.each(Object.entries(CASES))(
  'a Redis that %s is waited for: said once, and what was to be written is written when it can be',
  async (name, { code, words, refuse, accept }) => {
    const folder = servers.path(name.replaceAll(' ', '-'))
    await mkdir(folder)
    const socket = `${folder}.sock`
    await servers.start(['--port', '0', '--unixsocket', socket, '--dir', folder])
    const place = { url: socketUrl(socket) }
    const client = await connect({ ...place, role: 'worker' })
    const stop = new AbortController()
    const told: (string | undefined)[] = []
    const shown = (wait: Wait | undefined) => (wait === undefined ? undefined : noticeText(wait))
    const hold = new RedisHold({
      place,
      probe: () => client.set('probe', '1', 'PX', 1_000),
      tell: (wait) => {
        const text = shown(wait)
        if (told.at(-1) !== text) told.push(text)
      },
      signal: stop.signal,
    })
    const ledger = new RedisLedger(client, { patiently: hold.patiently })
    await ledger.open(BATCH)

    await refuse(client, folder)
    const plain = await new RedisLedger(client).setPlanned('b-1', 3, 30, true).catch((error: unknown) => error)
    expect(refusalOf(plain, place)).toMatchObject({ code })
    // It can be reached and read all the same.
    ;(await connect({ ...place, role: 'producer' })).disconnect()
    expect(await ledger.get('b-1')).toMatchObject({ planned: 0 })

    const waiting = ledger.setPlanned('b-1', 3, 30, true)
    await expect.poll(() => told.length).toBeGreaterThan(0)
    expect(told[0]).toMatch(words)
    expect(told[0]).toMatch(/^Redis at unix\S+ has been on hold since \d\d:\d\d:\d\d, next look at \d\d:\d\d:\d\d: /)
    await accept(client)
    await waiting
    expect(await ledger.get('b-1')).toMatchObject({ planned: 3 })
    await hold.over()
    expect(told.at(-1)).toBeUndefined()

    // A command that was asked to stop waits for nothing.
    stop.abort(new Error('stop'))
    await refuse(client, folder).catch(() => undefined)
    if (name !== 'cannot save') await expect(ledger.setState('b-1', 'paused')).rejects.toMatchObject({ code })
    client.disconnect()
  },
)

it('the private Redis that cannot save names the state folder', () => {
  const error = new Error('MISCONF Errors writing to the AOF file: No space left on device')
  const place = { url: 'unix:///home/a/state/redis/redis.sock', folder: '/home/a/state' }
  const refusal = refusalOf(error, place)
  expect(refusal).toMatchObject({
    code: 'STATE_UNAVAILABLE',
    message: 'The state folder /home/a/state cannot be used: No space left on device.',
  })
  expect(refusal?.advice).toContain('--state-dir')
})

it('a refusal within a script or a transaction of any version of Redis is understood', () => {
  const place = { url: 'redis://u:secret@127.0.0.1:6379' }
  for (const said of [
    "OOM command not allowed when used memory > 'maxmemory'. script: f00, on @user_script:4.",
    "ERR Error running script (call to f_1): @user_script:4: @user_script: 4: -OOM command not allowed when used memory > 'maxmemory'.",
    'EXECABORT Transaction discarded because of: OOM command not allowed',
  ]) {
    const refusal = refusalOf(new Error(said), place)
    expect(refusal).toMatchObject({ code: 'REDIS_FULL' })
    expect(refusal?.message).not.toContain('secret')
  }
  expect(refusalOf(new Error('ERR unknown command READONLYish'), place)).toBeUndefined()
})
