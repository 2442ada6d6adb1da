import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWithEveryS3 } from '../s3-server.ts'
import { expectOnlyRightObjects, makeBucketWorld, PID, SIZES, type BucketWorld } from './bucket.ts'
import { records } from './cli.ts'

const KILLS = 5

await describeWithEveryS3('a batch to a bucket', (kind) => {
  let world: BucketWorld
  beforeAll(async () => {
    world = await makeBucketWorld(await kind.start(), 8 << 20)
  })
  afterAll(() => world[Symbol.asyncDispose]())

  test('killed again and again, it ends with every object right, and nothing unverified was ever visible', async () => {
    const { server, bucket } = world
    const args = ['run', PID, '--server', world.dataverse.url, '--to', world.destination, '--json']
    for (let kill = 0; kill < KILLS; kill++) {
      const { child, ended } = world.start(...args)
      await Promise.race([ended, sleep(1_500 + kill * 400)])
      child.kill('SIGKILL')
      await ended
      await expectOnlyRightObjects(server.client, bucket)
    }
    const { code, stdout, stderr } = await world.run(...args)
    expect(stderr).not.toContain('dataferry: ')
    expect(code).toBe(0)
    const [summary] = records(stdout).filter(({ event }) => event === 'summary')
    const planned = SIZES.length
    expect(summary).toMatchObject({ planned, failed: 0, complete: true, verified: { checksum: planned } })
    expect(await expectOnlyRightObjects(server.client, bucket)).toBe(planned)
    expect((await world.run('verify', world.destination)).code).toBe(0)
  })
})
