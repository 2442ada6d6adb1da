import { expect, it } from 'vitest'
import { untilDurable } from '../../src/queue/durable.ts'
import { connect } from '../../src/queue/connection.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'
import { useRedisServers } from './redis-servers.ts'

const servers = useRedisServers()

async function durableOn(name: string, settings: readonly string[]) {
  const socket = servers.path(`${name}.sock`)
  const own = ['--save', '', '--appenddirname', name]
  const server = await servers.start(['--port', '0', '--unixsocket', socket, ...own, ...settings])
  const client = await connect({ url: socketUrl(socket), role: 'producer' })
  const version = /redis_version:(\d+)\.(\d+)/.exec(await client.info('server'))
  const knows = Number(version?.[1]) * 100 + Number(version?.[2]) >= 702
  await client.set('key', 'value')
  return { server, client, knows, durable: await untilDurable(client) }
}

it('what was written is on disk when the wait ends, where Redis can say so; an older one is told apart', async () => {
  const { server, client, knows, durable } = await durableOn('aof', [
    '--appendonly',
    'yes',
    '--appendfsync',
    'everysec',
  ])
  expect(durable).toBe(knows)
  if (knows) expect(await client.call('WAITAOF', 1, 0, 1)).toEqual([1, 0])
  client.disconnect()
  server.kill('SIGKILL')
})

it('a Redis that keeps no file is waited for in vain, and at once', async () => {
  const { client, durable } = await durableOn('plain', ['--appendonly', 'no'])
  expect(durable).toBe(false)
  client.disconnect()
})
