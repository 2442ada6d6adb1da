import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithS3, type S3Server } from '../s3-server.ts'
import { faultProxy, type FaultProxy } from '../sinks/s3/fault-proxy.ts'
import { mirrorHomes } from './home.ts'
import { bucketPlace } from './place.ts'

const PID = 'doi:10.5072/FK2/A'
const FOLDER = 'doi-10.5072-FK2-A'

/** Its whole behaviour there is a matter of the long tests. */
await describeWithS3('a mirror in a bucket', (kind) => {
  let server: S3Server
  let proxy: FaultProxy
  beforeAll(async () => {
    server = await kind.start()
    proxy = await faultProxy(server.endpoint)
  })
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]()
    await server.stop()
  })
  const homeOf = mirrorHomes(() => bucketPlace({ ...server, endpoint: proxy.endpoint }))

  it('has what it holds copied by the store when it moves, is kept aside, or is in a further version', async () => {
    const home = await homeOf()
    const { repository } = home
    const large = { size: 300_000, seed: 1 }
    repository.deposit(PID, [
      { label: 'a', content: large },
      { label: 'b', content: 'beta' },
    ])
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'root')
    expect((await home.run()).code).toBe(0)
    repository.publish(PID, ([a]) => (a ? [{ ...a, label: 'moved', directory: 'deep' }] : []))
    const before = proxy.requests.length
    const { code, report } = await home.run()
    expect([code, report.files]).toEqual([0, expect.objectContaining({ fetched: 0, moved: 1, superseded: 1 })])
    expect(Object.keys(await home.files())).toEqual([`${FOLDER}/deep/moved`])
    expect(await home.files('.dataferry/mirrors/m/superseded')).toEqual({ [`${FOLDER}/v1.0/b`]: 'beta' })
    // The test itself looks past the proxy.
    const data = /^GET [^?]*\/(?:where\/doi-|m\/moving\/|m\/superseded\/)/
    expect(proxy.requests.slice(before).filter((line) => data.test(line))).toEqual([])
    expect((await home.cli('verify', home.destination)).code).toBe(0)
    await home.close()
  })

  it.each([
    ['taken away', /^DELETE [^?]*\/where\/doi-/],
    ['put where it is now', /^DELETE [^?]*\/moving\//],
  ])('goes on where the store failed after a file was copied and before it was %s', async (_, when) => {
    const home = await homeOf()
    home.repository.deposit(PID, [{ label: 'a', content: 'alpha' }])
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'root')
    expect((await home.run()).code).toBe(0)
    home.repository.publish(PID, (files) => files.map((one) => ({ ...one, label: 'moved' })))
    const hits = proxy.hits
    proxy.add({ fault: 403, when, times: 1 })
    expect((await home.cli('mirror', 'run', 'm', '--to', home.destination)).code).not.toBe(0)
    expect(proxy.hits).toBe(hits + 1)
    const { code, report } = await home.run()
    expect([code, report.files['moved'], report['inTheWay']]).toEqual([0, 1, []])
    expect(await home.files()).toEqual({ [`${FOLDER}/moved`]: 'alpha' })
    expect(
      Object.keys(await home.files('.dataferry/mirrors/m')).filter((path) => /moving|superseded/.test(path)),
    ).toEqual([])
    await home.close()
  })
})
