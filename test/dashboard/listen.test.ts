import { Hono } from 'hono'
import { afterEach, expect, it } from 'vitest'
import { listen, type Listening } from '../../src/dashboard/listen.ts'

const HOST = '127.0.0.1'
const opened: Listening[] = []
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())))

async function listenOn(port: number, exact: boolean): Promise<number> {
  const listening = await listen(() => new Hono(), { host: HOST, port, exact })
  opened.push(listening)
  return listening.port
}

it('a port that is taken gives way to the next free one, unless it was asked for', async () => {
  const first = await listenOn(0, false)
  const next = await listenOn(first, false)
  expect(next).toBeGreaterThan(first)
  expect(await listenOn(first, false)).toBeGreaterThan(next)
  await expect(listenOn(first, true)).rejects.toMatchObject({
    code: 'ARGUMENT_INVALID',
    message: `Port ${first} of ${HOST} is taken: give another one.`,
  })
})
