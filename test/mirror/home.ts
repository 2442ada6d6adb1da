import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { MirrorApi } from '../../src/dataverse/mirror-api.ts'
import { heldDatasets, type DatasetState, type MirroredDataset } from '../../src/mirror/state.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { runInProcess, type Ended } from '../cli/in-process.ts'
import { Repository } from '../fakes/dataverse/repository.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { useRedis } from '../redis.ts'
import { changesOfLastRun, folderPlace, withRecords, type Place } from './place.ts'

/** A repository that people work in, a mirror of it, and the command line. */
export interface MirrorHome {
  readonly repository: Repository
  readonly server: StandIn
  readonly place: Place
  /** `place.url` */
  readonly destination: string
  /** A folder for a test's own files, where commands run. */
  readonly folder: string
  /** Of every command. */
  readonly env: Readonly<Record<string, string>>
  readonly api: MirrorApi
  /** What time it is: here, and on the server where that is another one. Default: now. */
  readonly clock: { here?: Date; server?: Date }
  cli(...args: readonly string[]): Promise<Ended>
  /** The same with other settings. */
  with(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended>
  /** `mirror run NAME --json`, with what it reports. */
  run(...args: readonly string[]): Promise<{ readonly code: number; readonly report: Report; readonly stderr: string }>
  /** Rows of `changes.csv` of the last run. */
  changes(): Promise<readonly string[]>
  /** The datasets that the mirror has in a state. */
  datasets(state: DatasetState): Promise<readonly MirroredDataset[]>
  files: Place['files']
  close(): Promise<void>
}

const reportSchema = z.looseObject({
  run: z.string(),
  complete: z.boolean(),
  sweep: z.string(),
  states: z.record(z.string(), z.number()),
  datasets: z.record(z.string(), z.number()),
  files: z.record(z.string(), z.number()),
  requests: z.record(z.string(), z.number()),
  refused: z.number().optional(),
})
type Report = z.infer<typeof reportSchema>

/** Of somebody who may see everything. */
export const TOKEN = 'the-curators-token'

/** Waits are short in tests. */
const SHORT = {
  DATAFERRY_OUTAGE_FIRST: '10ms',
  DATAFERRY_OUTAGE_MAX: '20ms',
  DATAFERRY_RETRY_WAIT: '10ms',
  DATAFERRY_RETRY_MAX_WAIT: '50ms',
  DATAFERRY_THROTTLE_FIRST: '10ms',
  DATAFERRY_THROTTLE_MAX: '50ms',
}

const onDisk = (folder: string): Promise<Place> => Promise.resolve(folderPlace(join(folder, 'data')))

/**
 * Call at the top of a test file: gives homes, whose Redis is shared.
 * @param newPlace an empty place to mirror to; default: a folder
 */
export function mirrorHomes(newPlace: (folder: string) => Promise<Place> = onDisk): () => Promise<MirrorHome> {
  const redis = useRedis()
  return async () => {
    const world = new World()
    world.collection('climate')
    world.collection('ice', { parent: 'climate' })
    world.collection('other')
    const clock: MirrorHome['clock'] = {}
    const server = await startDataverse({
      world,
      tokens: { [TOKEN]: { user: '@curator', superuser: true, curates: 'all' } },
      clock: () => (clock.server ?? clock.here)?.getTime() ?? Date.now(),
    })
    const folder = await mkdtemp(join(tmpdir(), 'df-mirror-'))
    const place = await newPlace(folder)
    const env = {
      REDIS_URL: redis.url,
      DATAFERRY_PREFIX: redis.prefix,
      DATAVERSE_SERVER: server.url,
      ...SHORT,
      ...place.env,
    }
    const withEnv: MirrorHome['with'] = (more, ...args) =>
      runInProcess(args, { cwd: folder, env: { ...env, ...more }, now: () => clock.here ?? new Date() })
    const cli = (...args: readonly string[]): Promise<Ended> => withEnv({}, ...args)
    return {
      repository: new Repository(world),
      server,
      place,
      destination: place.url,
      folder,
      env,
      clock,
      api: new MirrorApi({ baseUrl: server.url, retries: 0 }),
      cli,
      with: withEnv,
      run: async (...args) => {
        const { code, stdout, stderr } = await cli('mirror', 'run', 'm', '--to', place.url, '--json', ...args)
        const last = stdout
          .trim()
          .split('\n')
          .findLast((line) => line.includes('"mirror-run"'))
        if (last === undefined) throw new Error(`The run ended with ${code}: ${stderr}`)
        return { code, stderr, report: reportSchema.parse(JSON.parse(last)) }
      },
      changes: () => changesOfLastRun(place),
      datasets: (state) => withRecords(place, (records) => datasetsIn(records, state)),
      files: (below) => place.files(below),
      close: async () => {
        await server.close()
        await rm(folder, { recursive: true, force: true })
      },
    }
  }
}

async function datasetsIn(records: Records, state: DatasetState): Promise<readonly MirroredDataset[]> {
  const found: MirroredDataset[] = []
  for await (const dataset of heldDatasets(records, 'm')) if (dataset.state === state) found.push(dataset)
  return found
}
