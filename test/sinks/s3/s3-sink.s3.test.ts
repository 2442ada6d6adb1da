import { afterAll, beforeAll } from 'vitest'
import { openS3Sink, type S3Sink } from '../../../src/sinks/s3/s3-sink.ts'
import { describeSink } from '../../contracts/sink.ts'
import { describeWithS3, type S3Server } from '../../s3-server.ts'
import { deadProcess } from '../disk/dead-process.ts'

const PART = 5 << 20
/** The largest chunk that the contract's source gives: a border is saved with the chunk in which it lies. */
const CHUNK = 333_333

await describeWithS3('s3', (kind) => {
  let server: S3Server
  beforeAll(async () => {
    server = await kind.start()
  })
  afterAll(() => server.stop())

  describeSink(
    's3',
    async () => {
      const bucket = await server.bucket()
      const url = `s3://${bucket}/some/prefix`
      const options = { endpoint: server.endpoint, partSize: PART }
      // What is opened first counts as dead from the beginning: other owners look at the process and see none.
      const sink = await openS3Sink(url, options, await deadProcess())
      const sinks: S3Sink[] = [sink]
      const reopen = async (): Promise<S3Sink> => {
        const next = await openS3Sink(url, options)
        sinks.push(next)
        return next
      }
      const close = async (): Promise<void> => {
        for (const one of sinks) await one.close()
      }
      return { sink, reopen, close }
    },
    { mayLose: PART + CHUNK, sizes: [0, 1, PART, PART + 1, 2 * PART + 1] },
  )
})
