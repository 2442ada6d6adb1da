import { expect, it } from 'vitest'
import { tellCollection, walkCollection } from '../../src/dataverse/collection-walk.ts'
import { Installation } from '../../src/dataverse/installation.ts'
import { ONCE } from '../../src/dataverse/retry.ts'
import { never } from '../contracts/sink-bytes.ts'
import { scriptedServer, sendJson } from './scripted-server.ts'

it('a server that names ever more collections is refused after as many as there can be', async () => {
  await using server = await scriptedServer((_, response, count) => {
    const dataset = {
      type: 'dataset',
      id: 1000 + count,
      protocol: 'doi',
      authority: '10.5072',
      identifier: `FK2/${count}`,
    }
    sendJson(response, 200, { status: 'OK', data: [dataset, { type: 'dataverse', id: count }] })
  })
  const installation = new Installation({ baseUrl: server.url })
  const found: string[] = []
  const walk = async (): Promise<void> => {
    const policy = { retries: 0, throttleMs: 1, retryMs: 1 }
    const walked = walkCollection('root', { installation, policy, signal: never, patiently: (call) => call(), most: 5 })
    for await (const { pid } of walked) found.push(pid)
  }
  await expect(walk()).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
  expect(found).toHaveLength(5)
  expect(server.seen).toHaveLength(5)
  await installation.close()
})

it('a collection whose answer breaks off is read again, and some of its datasets are told again', async () => {
  const dataset = (id: number): unknown => ({
    type: 'dataset',
    id,
    protocol: 'doi',
    authority: '10.5072',
    identifier: `FK2/${id}`,
  })
  const whole = JSON.stringify({ status: 'OK', data: [dataset(1), dataset(2)] })
  let answers = 0
  await using server = await scriptedServer((_, response) => {
    answers++
    if (answers > 1) response.writeHead(200, { 'content-type': 'application/json' }).end(whole)
    else
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .write(whole.slice(0, -30), () => response.destroy())
  })
  const installation = new Installation({ baseUrl: server.url })
  const walk = { installation, policy: { retries: 1, throttleMs: 1, retryMs: 1 }, signal: never, patiently: ONCE }
  const told: number[] = []
  await tellCollection('root', walk, ({ id }) => Promise.resolve(void told.push(id)))
  expect([answers, told.at(-1), [...new Set(told)]]).toEqual([2, 2, [1, 2]])
  await installation.close()
})
