import { Agent } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ask } from './ask.ts'
import { standIns, worldOf } from './worlds.ts'

const start = standIns()
let agent: Agent
beforeEach(() => (agent = new Agent({ keepAlive: true, maxSockets: 1 })))
afterEach(() => agent.destroy())

const world = (): ReturnType<typeof worldOf> => worldOf({ id: 1, label: 'a', content: 'a', store: 's3-redirect' })

/** The `Connection` header of so many answers, one after another. */
async function connectionHeaders(url: string, answers: number): Promise<readonly (string | undefined)[]> {
  const seen: (string | undefined)[] = []
  for (let i = 0; i < answers; i++) seen.push((await ask(url, { agent })).headers.connection)
  return seen
}

it('closes a connection with its 250th answer, as the application server does', async () => {
  const dv = await start({ world: world() })
  const seen = await connectionHeaders(`${dv.url}/api/info/version`, 501)
  expect(seen.flatMap((header, i) => (header === 'close' ? i + 1 : []))).toEqual([250, 500])
})

it('does so by itself, without waiting for the client', async () => {
  const dv = await start({ world: world(), requestsPerConnection: 1 })
  const socket = connect(Number(new URL(dv.url).port), '127.0.0.1')
  socket.write('GET /api/info/version HTTP/1.1\r\nHost: a\r\n\r\n')
  expect(await text(socket)).toMatch(/\r\nConnection: close\r\n/)
})

it('closes it after as many as it is told, the storage host too', async () => {
  const dv = await start({ world: world(), requestsPerConnection: 2 })
  const { location = '' } = (await ask(`${dv.url}/api/access/datafile/1`)).headers
  expect(await connectionHeaders(location, 4)).toEqual(['keep-alive', 'close', 'keep-alive', 'close'])
})

it('closes it after a 400 and a 500, and keeps it after other refusals', async () => {
  const steps = [400, 404, 429, 500, 503].map((status) => ({ kind: 'status' as const, status }))
  const dv = await start({ world: world(), faults: [{ steps }] })
  const seen = await connectionHeaders(`${dv.url}/api/info/version`, steps.length)
  expect(seen).toEqual(['close', 'keep-alive', 'keep-alive', 'close', 'keep-alive'])
})
