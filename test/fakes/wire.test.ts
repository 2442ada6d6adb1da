import { describe, expect, it } from 'vitest'
import type { Answer, Asking } from './ask.ts'
import { ask, at } from './ask.ts'
import { World } from './dataverse/world.ts'
import { PID, standIns, worldOf } from './worlds.ts'

const start = standIns()

/** What was seen on the wire of a live 6.11. @see the protocol note §12 */
describe('answers on the wire', () => {
  const begin = async (): Promise<(path: string, asking?: Asking) => Promise<Answer>> => {
    const dv = await start({
      world: worldOf(
        { id: 1, label: 'a.png', content: 'x', contentType: 'image/png' },
        { id: 2, label: 'b', content: 'x', store: 's3-redirect' },
      ),
    })
    return (path, asking) => ask(`${dv.url}/api/${path}`, asking)
  }

  it('tell no time, name a character set for binaries and JSON alike, and start a session on access alone', async () => {
    const get = await begin()
    const file = await get('access/datafile/1')
    const version = await get('info/version')
    expect(file.headers['content-type']).toBe('image/png; name="a.png";charset=UTF-8')
    expect(version.headers['content-type']).toBe('application/json;charset=UTF-8')
    expect(file.headers['set-cookie']?.[0]).toContain('JSESSIONID=')
    expect(version.headers).not.toHaveProperty('set-cookie')
    for (const { headers } of [file, version]) expect(headers).not.toHaveProperty('date')
  })

  it('redirect in chunks', async () => {
    const { status, headers } = await (await begin())('access/datafile/2')
    expect([status, headers['transfer-encoding'], headers['content-length']]).toEqual([303, 'chunked', undefined])
  })

  it('name the methods that a route has with 405, and repeat no URL with 415 and a missing object', async () => {
    const get = await begin()
    const wrongMethod = await get('access/datafiles/1', { method: 'DELETE' })
    expect([wrongMethod.status, wrongMethod.headers.allow]).toEqual([405, 'GET,HEAD,POST,OPTIONS'])
    const wrongType = await get('access/datafiles', { method: 'POST', headers: { 'Content-Type': 'text/csv' } })
    expect(JSON.parse(wrongType.text)).toEqual({
      status: 'ERROR',
      code: 415,
      message: 'HTTP 415 Unsupported Media Type',
    })
  })

  it('are pages of the container for every address while it deploys', async () => {
    const dv = await start({ world: worldOf({ id: 1, label: 'a' }), deploying: true })
    for (const path of ['/api/info/version', '/api/access/datafile/1', '/']) {
      const answer = await ask(dv.url + path)
      expect([answer.status, answer.headers['content-type']]).toEqual([404, 'text/html'])
    }
  })

  it('are 404 in the words of lost bytes while the storage is away, for streamed and for redirected files', async () => {
    const dv = await start({
      world: worldOf({ id: 1, label: 'a' }, { id: 2, label: 'b', store: 's3-redirect' }),
      storageAway: true,
    })
    for (const id of [1, 2]) {
      const message = `Datafile ${id}: Failed to locate and/or open physical file.`
      const answer = await ask(`${dv.url}/api/access/datafile/${id}`)
      expect(JSON.parse(answer.text)).toEqual({ status: 'ERROR', code: 404, message })
    }
    dv.set({ storageAway: false })
    expect((await ask(`${dv.url}/api/access/datafile/1`)).status).toBe(200)
  })
})

describe('identities', () => {
  it('of versions come from a series of their own', async () => {
    const world = new World()
    world.dataset(PID, { id: 10, versions: [{ files: [{ id: 1, label: 'a' }] }, { files: [{ id: 2, label: 'b' }] }] })
    const dv = await start({ world })
    const versions = await ask(`${dv.url}/api/datasets/10/versions`)
    expect([at(versions, 'data', 0, 'id'), at(versions, 'data', 1, 'id')]).toEqual([2, 1])
  })

  it('that are DOIs have no case since 6.5', async () => {
    const world = (): World => worldOf({ id: 1, label: 'a', content: 'x', pid: `${PID}/File` })
    const [dv, older] = [await start({ world: world() }), await start({ world: world(), profile: '6.1' })]
    const dataset = `/api/datasets/:persistentId?persistentId=${PID.toLowerCase()}`
    const file = `/api/access/datafile/:persistentId?persistentId=${PID}/fILE`
    expect([(await ask(dv.url + dataset)).status, (await ask(dv.url + file)).status]).toEqual([200, 200])
    expect([(await ask(older.url + dataset)).status, (await ask(older.url + file)).status]).toEqual([404, 404])
  })

  it('of a preview token open its dataset, and no account', async () => {
    const world = new World()
    world.dataset(PID, { id: 10, versions: [{ state: 'DRAFT', files: [{ id: 1, label: 'a', content: 'x' }] }] })
    const dv = await start({ world, tokens: { p: { user: '#10', curates: [PID], preview: true } } })
    expect((await ask(`${dv.url}/api/access/datafile/1?key=p`)).text).toBe('x')
    const me = await ask(`${dv.url}/api/users/:me?key=p`)
    expect([me.status, at(me, 'message')]).toEqual([400, 'User with token p not found.'])
  })

  it('of a deaccessioned version are told to everybody, with reason and forwarding address, but not its files', async () => {
    const world = new World()
    const deaccession = { note: 'Legal', link: 'https://example.org/new' }
    world.dataset(PID, { id: 10, versions: [{ state: 'DEACCESSIONED', deaccession, files: [{ id: 1, label: 'a' }] }] })
    const dv = await start({ world })
    const version = `${dv.url}/api/datasets/10/versions/:latest?includeDeaccessioned=true`
    expect(at(await ask(`${version}&excludeFiles=true`), 'data')).toMatchObject({
      versionState: 'DEACCESSIONED',
      deaccessionNote: 'Legal',
      deaccessionLink: 'https://example.org/new',
    })
    expect((await ask(version)).status).toBe(404)
    expect(at(await ask(`${dv.url}/api/files/1`), 'message')).toContain(
      'file with id 1 in dataset version :latest not found',
    )
  })
})
