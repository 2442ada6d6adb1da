import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { diskSink, type DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import type { Stage } from '../../../src/sinks/sink.ts'
import { itemAt, never } from '../../contracts/sink-bytes.ts'
import { temporaryFolder } from '../temporary-folder.ts'

interface UsedSink {
  readonly sink: DiskSink
  /** A path in the temporary folder; the sink is in `data/` of it. */
  readonly inFolder: (name: string) => string
  /** A path in the sink. */
  readonly at: (name: string) => string
  /** Opens the stage of `b1-0`. */
  readonly begin: (path: string, size?: number) => Promise<Stage>
}

/** A disk sink in a temporary folder, new for each test; called in a `describe`. */
export function useDiskSink(times?: Parameters<typeof diskSink>[1]): UsedSink {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let sink: DiskSink
  beforeEach(async () => {
    folder = await temporaryFolder()
    sink = diskSink(join(folder.path, 'data'), times)
  })
  afterEach(async () => {
    await sink.close()
    await folder[Symbol.asyncDispose]()
  })
  return {
    get sink() {
      return sink
    },
    inFolder: (name) => join(folder.path, name),
    at: (name) => join(folder.path, 'data', name),
    begin: (path, size) => sink.stage({ key: 'b1-0', item: itemAt(path, size), signal: never }),
  }
}
