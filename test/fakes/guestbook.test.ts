import { expect, it } from 'vitest'
import type { Answer } from './ask.ts'
import { ask, at } from './ask.ts'
import type { StandIn } from './dataverse/server.ts'
import { World } from './dataverse/world.ts'
import { PID, standIns, worldOf } from './worlds.ts'

const start = standIns()
const guestbook = {
  id: 7,
  nameRequired: true,
  emailRequired: true,
  customQuestions: [{ id: 31, question: 'Use?', required: true, options: ['Teaching'] }],
}
const GOOD = { name: 'A', email: 'a@example.org', answers: [{ id: 31, value: 'Teaching' }] }

function guarded(): World {
  const world = new World()
  world.dataset(PID, {
    id: 10,
    guestbook,
    files: [
      { id: 1, label: 'a', content: 'x' },
      { id: 2, label: 'b' },
      { id: 3, label: 'r', restricted: true },
    ],
  })
  return world
}

const post = (dv: StandIn, path: string, guestbookResponse: object = GOOD): Promise<Answer> =>
  ask(`${dv.url}/api/access/${path}`, { method: 'POST', body: JSON.stringify({ guestbookResponse }) })

it('a file behind a guestbook is 400 with the id of the book, which can be read', async () => {
  const dv = await start({ world: guarded() })
  const answer = await ask(`${dv.url}/api/access/datafile/1`)
  expect(JSON.parse(answer.text)).toEqual({
    status: 'ERROR',
    message: 'You may not download this file without the required Guestbook response for guestbookID 7.',
  })
  expect((await ask(`${dv.url}/api/access/datafiles/1`)).status).toBe(400)
  expect(at(await ask(`${dv.url}/api/datasets/10/versions/1.0`), 'data', 'guestbookId')).toBe(7)
  const book = await ask(`${dv.url}/api/guestbooks/7`)
  expect(at(book, 'data')).toMatchObject({ id: 7, enabled: true, nameRequired: true, institutionRequired: false })
  expect(at(book, 'data', 'customQuestions', 0, 'optionValues', 0, 'value')).toBe('Teaching')
})

it('an answer buys a signed URL that works by GET for one minute, as it is', async () => {
  let now = 1_800_000_000_000
  const dv = await start({ world: guarded(), clock: () => now })
  const url = String(at(await post(dv, 'datafile/1'), 'data', 'signedUrl'))
  expect(url).toMatch(
    /\/api\/v1\/access\/datafile\/1\?gbrecs=true&gbrids=90&until=[^&Z]+&user=guest&method=GET&token=[0-9a-f]{128}$/,
  )
  expect((await ask(url)).text).toBe('x')
  expect((await ask(url, { method: 'HEAD' })).status).toBe(401)
  const edited = await ask(url.replace('datafile/1', 'datafile/2'))
  expect(JSON.parse(edited.text)).toEqual({ status: 'ERROR', message: 'Bad signed URL' })
  now += 61_000
  expect((await ask(url)).status).toBe(401)
})

it('gbrids alone is refused after a minute, unknown 404, not a number 400', async () => {
  let now = 1_800_000_000_000
  const dv = await start({ world: guarded(), clock: () => now })
  await post(dv, 'datafile/1')
  const status = async (id: string): Promise<number> =>
    (await ask(`${dv.url}/api/access/datafile/1?gbrids=${id}`)).status
  expect([await status('90'), await status('91'), await status('x')]).toEqual([200, 404, 400])
  now += 61_000
  expect(await status('90')).toBe(400)
})

it('names what an answer lacks, and refuses options and questions it does not know', async () => {
  const dv = await start({ world: guarded() })
  const message = async (response: object): Promise<unknown> => at(await post(dv, 'datafile/1', response), 'message')
  expect(await message({})).toBe(
    'Problem trying download with guestbook response on a : Guestbook Response entry is required but not present (Name,Email).',
  )
  expect(await message({ ...GOOD, answers: [{ id: 31, value: 'Other' }] })).toContain('not an option')
  expect(await message({ ...GOOD, answers: [{ id: 99, value: 'x' }] })).toContain('not found')
  expect(await message({ ...GOOD, answers: [] })).toContain('Use?')
})

it('a POST for several files fails as a whole when one may not be had; POST datafiles streams the archive itself', async () => {
  const dv = await start({ world: guarded() })
  expect((await post(dv, 'datafiles/1,3')).status).toBe(403)
  expect((await post(dv, 'dataset/10')).status).toBe(403)
  const signed = String(at(await post(dv, 'datafiles/1,2'), 'data', 'signedUrl'))
  expect((await ask(signed)).headers['content-type']).toContain('application/zip')
  const body = JSON.stringify({ fileIds: [1, 2], guestbookResponse: GOOD })
  const direct = await ask(`${dv.url}/api/access/datafiles`, {
    method: 'POST',
    headers: { 'Content-Type': 'text/plain' },
    body,
  })
  expect(direct.status).toBe(200)
  expect(direct.headers['content-type']).toContain('application/zip')
})

it('asks nothing of curators, of thumbnails, and of anybody before 6.10', async () => {
  const dv = await start({ world: guarded(), tokens: { cur: { user: '@cur', curates: [PID] } } })
  expect((await ask(`${dv.url}/api/access/datafile/1?key=cur`)).status).toBe(200)
  expect((await ask(`${dv.url}/api/access/datafile/1?imageThumb=true`)).status).toBe(404)
  const older = await start({ world: guarded(), profile: '6.9' })
  expect((await ask(`${older.url}/api/access/datafile/1`)).status).toBe(200)
  expect((await post(older, 'datafile/1')).status).toBe(404)
})

it('a POST to a dataset without a version that may be seen is a 500, and a bundle says it in envelope 5', async () => {
  const world = guarded()
  world.dataset(`${PID}2`, { id: 11, versions: [{ state: 'DRAFT', files: [] }] })
  const dv = await start({ world })
  expect((await post(dv, 'dataset/11')).status).toBe(500)
  expect(at(await ask(`${dv.url}/api/access/datafile/bundle/1`), 'message')).toMatch(
    /^Bad Request\..* Details: You may not/,
  )
})

it('a public file without a guestbook needs none of this', async () => {
  const dv = await start({ world: worldOf({ id: 1, label: 'a' }) })
  expect((await ask(`${dv.url}/api/access/datafile/1`)).status).toBe(200)
  const url = String(at(await post(dv, 'datafile/1'), 'data', 'signedUrl'))
  expect((await ask(url)).status).toBe(200)
})
