import { afterAll, beforeAll, describe, it } from 'vitest'
import { describeWithEveryS3, type S3Server } from '../../s3-server.ts'
import { expectRightAfter, FAULTS, PLACES } from './faults.ts'

await describeWithEveryS3('a store with faults', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  describe.each(FAULTS)('%s', (fault) => {
    it.each(PLACES)('at %s ends with the right bytes and their proof', (_, when, bytes) =>
      expectRightAfter(server, fault, when, bytes),
    )
  })
})
