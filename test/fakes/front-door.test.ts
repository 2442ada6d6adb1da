import { expect, it } from 'vitest'
import { ask } from './ask.ts'
import { startFrontDoor } from './front-door.ts'
import { standIns, worldOf } from './worlds.ts'

const start = standIns()

it('lets everything through, plays each outage at the same address, and lets everything through again', async () => {
  const dataverse = await start({ world: worldOf({ id: 1, label: 'a', content: { size: 300_000, seed: 1 } }) })
  await using door = await startFrontDoor(dataverse.url)
  const url = `${door.url}/api/access/datafile/1`
  expect((await ask(url)).body.length).toBe(300_000)
  await door.shut('refused')
  await expect(ask(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  for (const status of [502, 503] as const) {
    await door.shut(status)
    expect(await ask(url)).toMatchObject({ status, headers: { 'content-type': 'text/html' } })
  }
  await door.open()
  expect((await ask(url)).body.length).toBe(300_000)
})

it('breaks what is on its way when an outage begins', async () => {
  const world = worldOf({ id: 1, label: 'a', content: { size: 300_000, seed: 1 } })
  const dataverse = await start({ world, bytesPerSecond: 100_000 })
  await using door = await startFrontDoor(dataverse.url)
  const asked = ask(`${door.url}/api/access/datafile/1`)
  await expect.poll(() => dataverse.requests.at(-1)?.bytes).toBeGreaterThan(0)
  await door.shut(503)
  expect((await asked).complete).toBe(false)
})
