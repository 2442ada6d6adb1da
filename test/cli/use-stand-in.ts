import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'

/** A stand-in server and an empty folder for a test file. */
export function useStandIn(options: Parameters<typeof startDataverse>[0]): {
  readonly dataverse: StandIn
  readonly cwd: string
} {
  let dataverse: StandIn
  let cwd = ''
  beforeAll(async () => {
    cwd = await realpath(await mkdtemp(join(tmpdir(), 'df-cli-')))
    dataverse = await startDataverse(options)
  })
  afterAll(async () => {
    await dataverse.close()
    await rm(cwd, { recursive: true })
  })
  return {
    get dataverse() {
      return dataverse
    },
    get cwd() {
      return cwd
    },
  }
}
