import { diskSink, type DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { describeSink } from '../../contracts/sink.ts'
import { deadProcess } from './dead-process.ts'
import { temporaryFolder } from '../temporary-folder.ts'

describeSink('disk', async () => {
  const folder = await temporaryFolder()
  // What is opened first counts as dead from the beginning: other owners look at the process and see none.
  const sink = diskSink(folder.path, { identity: await deadProcess() })
  const sinks: DiskSink[] = [sink]
  const reopen = (): Promise<DiskSink> => {
    const next = diskSink(folder.path)
    sinks.push(next)
    return Promise.resolve(next)
  }
  const close = async (): Promise<void> => {
    for (const one of sinks) await one.close()
    await folder[Symbol.asyncDispose]()
  }
  return { sink, reopen, close }
})
