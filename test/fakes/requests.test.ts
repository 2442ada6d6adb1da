import { expect, it } from 'vitest'
import type { Answer } from './ask.ts'
import { ask, at, count } from './ask.ts'
import type { StandIn } from './dataverse/server.ts'
import { PID, standIns, worldOf } from './worlds.ts'

const start = standIns()
const tokens = { jane: { user: '@jane' }, cur: { user: '@cur', curates: [PID] } }

function begin(): Promise<StandIn> {
  return start({
    world: worldOf(
      { id: 1, label: 'r', restricted: true, content: 'x' },
      { id: 2, label: 'open' },
      { id: 3, label: 'e', embargo: { dateAvailable: '2999-01-01' } },
    ),
    tokens,
  })
}

function act(dv: StandIn, method: string, path: string, key?: keyof typeof tokens): Promise<Answer> {
  const headers = key === undefined ? {} : { 'X-Dataverse-key': key }
  return ask(`${dv.url}/api/access/datafile/${path}`, { method, headers })
}

it('a request for access is made, listed, granted and revoked', async () => {
  const dv = await begin()
  expect(at(await act(dv, 'PUT', '1/requestAccess', 'jane'), 'data', 'message')).toBe('Access to File r requested.')
  expect(at(await act(dv, 'GET', '1/userFileAccessRequested', 'jane'), 'data')).toBe(true)
  const listed = await act(dv, 'GET', '1/listRequests', 'cur')
  expect(at(listed, 'data', 0)).toMatchObject({ identifier: '@jane', requestState: 'created' })
  expect((await act(dv, 'GET', '1', 'jane')).status).toBe(403)
  expect((await act(dv, 'PUT', '1/grantAccess/@jane', 'cur')).status).toBe(200)
  expect((await act(dv, 'GET', '1', 'jane')).text).toBe('x')
  expect((await act(dv, 'GET', '1/listRequests', 'cur')).status).toBe(404)
  expect(count(await act(dv, 'GET', '1/listRequests?includeHistory=true', 'cur'), 'data')).toBe(1)
  expect((await act(dv, 'DELETE', '1/revokeAccess/@jane', 'cur')).status).toBe(200)
  expect((await act(dv, 'GET', '1', 'jane')).status).toBe(403)
})

it('a rejected request leaves the file closed', async () => {
  const dv = await begin()
  await act(dv, 'PUT', '1/requestAccess', 'jane')
  expect((await act(dv, 'PUT', '1/rejectAccess/@jane', 'cur')).status).toBe(200)
  expect((await act(dv, 'PUT', '1/rejectAccess/@jane', 'cur')).status).toBe(400)
  expect((await act(dv, 'GET', '1', 'jane')).status).toBe(403)
})

it('every failure of a request for access is 400', async () => {
  const dv = await begin()
  expect((await act(dv, 'PUT', '1/requestAccess')).status).toBe(400)
  for (const path of ['2/requestAccess', '3/requestAccess', '99/requestAccess'])
    expect((await act(dv, 'PUT', path, 'jane')).status, path).toBe(400)
  await act(dv, 'PUT', '1/requestAccess', 'jane')
  expect((await act(dv, 'PUT', '1/requestAccess', 'jane')).status).toBe(400)
})

it('deciding without the right is 400, revoking 401, rejecting as a guest 500, listing 401 or 403', async () => {
  const dv = await begin()
  expect((await act(dv, 'PUT', '1/grantAccess/@jane', 'jane')).status).toBe(400)
  expect((await act(dv, 'DELETE', '1/revokeAccess/@jane', 'jane')).status).toBe(401)
  expect((await act(dv, 'PUT', '1/rejectAccess/@jane')).status).toBe(500)
  expect((await act(dv, 'GET', '1/listRequests')).status).toBe(401)
  expect((await act(dv, 'GET', '1/listRequests', 'jane')).status).toBe(403)
  expect((await act(dv, 'GET', '99/listRequests', 'cur')).status).toBe(400)
})

it('userPermissions is blind to an embargo: it says yes where the download says 403', async () => {
  const dv = await begin()
  const told = await act(dv, 'GET', '3/userPermissions', 'jane')
  expect(at(told, 'data')).toEqual({
    canDownloadFile: true,
    canManageFilePermissions: false,
    canEditOwnerDataset: false,
  })
  expect((await act(dv, 'GET', '3', 'jane')).status).toBe(403)
  const statuses = [
    await act(dv, 'GET', '1/userPermissions'),
    await act(dv, 'GET', '99/userPermissions', 'jane'),
    await act(dv, 'GET', 'x/userPermissions', 'jane'),
  ]
  expect(statuses.map(({ status }) => status)).toEqual([401, 404, 400])
})

it('allowing access requests needs edit rights, else 400', async () => {
  const dv = await begin()
  const put = (id: number, key: string): Promise<Answer> =>
    ask(`${dv.url}/api/access/${id}/allowAccessRequest?key=${key}`, { method: 'PUT', body: 'true' })
  expect([(await put(10, 'cur')).status, (await put(10, 'jane')).status, (await put(99, 'cur')).status]).toEqual([
    200, 400, 400,
  ])
})

it('a decision is notified to whom it concerns, the newest first: it names the dataset and not the file', async () => {
  const dv = await begin()
  await act(dv, 'PUT', '1/requestAccess', 'jane')
  await act(dv, 'PUT', '1/rejectAccess/@jane', 'cur')
  const all = (key: string): Promise<Answer> =>
    ask(`${dv.url}/api/notifications/all?inAppNotificationFormat=true&limit=1&key=${key}`)
  const told = await all('jane')
  expect(at(told, 'totalCount')).toBe(2)
  expect(at(told, 'data', 0)).toMatchObject({
    type: 'REJECTFILEACCESS',
    datasetPersistentIdentifier: PID,
  })
  expect(Date.parse(String(at(told, 'data', 0, 'sentTimestamp')))).toBeGreaterThan(Date.now() - 120_000)
  expect(at(await all('cur'), 'totalCount')).toBe(0)
})
