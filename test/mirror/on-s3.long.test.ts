import { afterAll, beforeAll } from 'vitest'
import { describeWithEveryS3, type S3Server } from '../s3-server.ts'
import { describeMirror } from './behaviour.ts'
import { mirrorHomes } from './home.ts'
import { describeOcflMirror } from './ocfl.ts'
import { bucketPlace } from './place.ts'

await describeWithEveryS3('mirrors', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  const homeOf = mirrorHomes(() => bucketPlace(server))
  describeMirror('in a bucket', homeOf)
  describeOcflMirror('in a bucket', homeOf)
})
