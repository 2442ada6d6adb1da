import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { MirrorApi } from '../../src/dataverse/mirror-api.ts'
import { runInProcess, type Ended } from '../cli/in-process.ts'
import { Repository } from '../fakes/dataverse/repository.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { useRedis } from '../redis.ts'

/** A repository that people work in, a mirror of it, and the command line. */
export interface MirrorHome {
  readonly repository: Repository
  readonly server: StandIn
  readonly destination: string
  readonly api: MirrorApi
  cli(...args: readonly string[]): Promise<Ended>
  /** `mirror run NAME --json`, with what it reports. */
  run(...args: readonly string[]): Promise<{ readonly code: number; readonly report: Report; readonly stderr: string }>
  /** Rows of a record of the last run. */
  changes(): readonly string[]
  /** The datasets that the mirror has in a state. */
  datasets(state: string): readonly z.infer<typeof datasetSchema>[]
  /** Files at the destination, or below a folder of it, by path, with their contents. */
  files(folder?: string): Readonly<Record<string, string>>
  close(): Promise<void>
}

const datasetSchema = z.looseObject({ pid: z.string(), folder: z.string(), state: z.string() })
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

/** Waits are short in tests. */
const SHORT = { DATAFERRY_OUTAGE_FIRST: '10ms', DATAFERRY_OUTAGE_MAX: '20ms', DATAFERRY_RETRY_WAIT: '10ms' }

/** Call at the top of a test file: gives homes, whose Redis is shared. */
export function mirrorHomes(): (name?: string) => Promise<MirrorHome> {
  const redis = useRedis()
  return async (name = 'm') => {
    const world = new World()
    world.collection('climate')
    world.collection('ice', { parent: 'climate' })
    world.collection('other')
    const server = await startDataverse({ world })
    const folder = mkdtempSync(join(tmpdir(), 'df-mirror-'))
    const destination = join(folder, 'data')
    const env = { REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix, DATAVERSE_SERVER: server.url, ...SHORT }
    const cli = (...args: readonly string[]): Promise<Ended> => runInProcess(args, { cwd: folder, env })
    const at = join(destination, '.dataferry', 'mirrors', name)
    return {
      repository: new Repository(world),
      server,
      destination,
      api: new MirrorApi({ baseUrl: server.url, retries: 0 }),
      cli,
      run: async (...args) => {
        const { code, stdout, stderr } = await cli('mirror', 'run', name, '--to', destination, '--json', ...args)
        const last = stdout
          .trim()
          .split('\n')
          .findLast((line) => line.includes('"mirror-run"'))
        if (last === undefined) throw new Error(`The run ended with ${code}: ${stderr}`)
        return { code, stderr, report: reportSchema.parse(JSON.parse(last)) }
      },
      changes: () => {
        const last = readdirSync(join(at, 'runs')).sort().at(-1) ?? ''
        const rows = readFileSync(join(at, 'runs', last, 'changes.csv'), 'utf8')
          .trim()
          .split('\r\n')
        return rows.join('\n').split('\n').slice(1)
      },
      datasets: (state) => {
        const last = readdirSync(join(at, 'runs')).sort().at(-1) ?? ''
        const lines = readFileSync(join(at, 'runs', last, 'datasets.ndjson'), 'utf8')
          .split('\n')
          .filter(Boolean)
        return lines.map((line) => datasetSchema.parse(JSON.parse(line))).filter((dataset) => dataset.state === state)
      },
      files: (below = '') => contents(join(destination, below)),
      close: async () => {
        await server.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }
}

/** Every file below a folder, but for what dataferry keeps there for itself. */
function contents(folder: string, path = ''): Record<string, string> {
  const found: Record<string, string> = {}
  if (!existsSync(join(folder, path))) return found
  for (const name of readdirSync(join(folder, path))) {
    const inner = path === '' ? name : `${path}/${name}`
    if (inner === '.dataferry') continue
    const isFolder = statSync(join(folder, inner)).isDirectory()
    if (isFolder) Object.assign(found, contents(folder, inner))
    else found[inner] = readFileSync(join(folder, inner), 'utf8')
  }
  return found
}
