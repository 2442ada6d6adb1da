import { expect, it } from 'vitest'
import { walkCollection } from '../../src/dataverse/collection-walk.ts'
import { Installation } from '../../src/dataverse/installation.ts'
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
    const policy = { retries: 0, throttleMs: 1 }
    const walked = walkCollection(installation, policy, 'root', never, (call) => call(), 5)
    for await (const { pid } of walked) found.push(pid)
  }
  await expect(walk()).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
  expect(found).toHaveLength(5)
  expect(server.seen).toHaveLength(5)
  await installation.close()
})
