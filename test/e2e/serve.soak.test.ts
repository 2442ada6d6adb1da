import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { runsOf } from '../../src/schedule/history.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { Repository } from '../fakes/dataverse/repository.ts'
import { startDataverse } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { makeHome, type Started } from './cli.ts'
import { until } from './service.ts'
import { processOf } from './serving.ts'

/** An hour with a run a minute: `SOAK_MINUTES=60 SOAK_RUN_SECONDS=60 npm run soak -- test/e2e/serve.soak.test.ts`. */
const MINUTES = Number(process.env['SOAK_MINUTES'] ?? 8)
const RUN_SECONDS = Number(process.env['SOAK_RUN_SECONDS'] ?? 10)
/** Gets a line for each look. */
const LOG = process.env['SOAK_LOG']

const DATASETS = 30
/** At each look so many datasets are changed, each in its turn. */
const CHANGES = 3
const LOOK_MS = RUN_SECONDS * 1_000
const MIB = 1 << 20
/** What may be more in the last quarter than in the second: V8 goes on to compile and to optimize for hours, which makes no objects. */
const GROWTH = { heap: 3 * MIB, objects: 1_000, files: 5 }

const PARTS = ['supervisor', 'workers', 'schedules', 'dashboard'] as const
type Part = (typeof PARTS)[number]

const memorySchema = z.object({
  pid: z.number(),
  heap: z.number(),
  rss: z.number(),
  objects: z.number(),
  files: z.number(),
})
type Memory = z.infer<typeof memorySchema>

test(`serve mirrors every ${RUN_SECONDS} s for ${MINUTES} minutes, each run is right, and memory stays flat`, async () => {
  const world = new World()
  world.collection('climate', { title: 'Climate' })
  const repository = new Repository(world)
  const pidOf = (n: number): string => `doi:10.5072/FK2/D${n % DATASETS}`
  const changing = (seed: number) => ({ label: 'a.bin', content: { size: 40_000 + (seed % 777), seed } })
  for (let n = 0; n < DATASETS; n++) {
    const steady = { label: 'b.txt', content: `dataset ${n}` }
    repository.deposit(pidOf(n), [changing(n), steady], { collection: 'climate' })
  }
  const server = await startDataverse({ world })
  await using home = await makeHome()
  const memoryLog = join(home.folder, 'memory.ndjson')
  const to = ['--to', home.data, '--server', server.url]
  const succeed = async (...args: string[]): Promise<void> => {
    const { code, stdout, stderr } = await home.run(args)
    expect(code, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
  }
  await succeed('mirror', 'create', 'm', '--collection', 'climate', ...to)
  const cron = RUN_SECONDS < 60 ? `*/${RUN_SECONDS} * * * * *` : '* * * * *'
  await succeed('schedule', 'add', 'often', '--cron', cron, '--', 'mirror', 'run', 'm', ...to)

  const probe = fileURLToPath(new URL('memory-probe.mjs', import.meta.url))
  const env = { NODE_OPTIONS: `--import=file://${probe}`, MEMORY_LOG: memoryLog }
  const serving = home.start(['serve', '--processes', '1', ...to], env)
  const folder = new ScheduleFolder(join(home.folder, 'state'))
  try {
    await until('a first run', async () => runsOf(await folder.history('often')).some(({ code }) => code === 0))
    const looks: Record<Part, Memory>[] = []
    const endAt = Date.now() + MINUTES * 60_000
    let changes = 0
    while (Date.now() < endAt) {
      await sleep(LOOK_MS)
      for (let i = 0; i < CHANGES; i++) {
        const seed = DATASETS + changes++
        repository.publish(pidOf(seed), ([first, ...rest]) => [
          { ...changing(seed), replaces: first?.id ?? 0 },
          ...rest,
        ])
      }
      const seen = await look(serving, memoryLog)
      looks.push(seen)
      say(looks.length, seen)
    }
    await until('a last run', async () => {
      const runs = runsOf(await folder.history('often'))
      return runs.at(-1)?.endedAt !== undefined && Date.parse(runs.at(-1)?.startedAt ?? '') > endAt
    })
    serving.child.kill('SIGTERM')
    expect((await serving.ended).code).toBe(0)

    const lines = await folder.history('often')
    const runs = runsOf(lines)
    const reports = runs.map(({ report = '' }) => reportSchema.parse(JSON.parse(readFileSync(new URL(report), 'utf8'))))
    tell(`${runs.length} runs, ${reports.filter(({ complete }) => complete).length} complete; ${changes} changes`)
    expect(runs.map(({ code }) => code)).toEqual(runs.map(() => 0))
    expect(reports.map(({ complete }) => complete)).toEqual(runs.map(() => true))
    // Every change was fetched, and nothing twice.
    expect(sum(reports.map(({ files }) => files.fetched))).toBe(2 * DATASETS + changes)
    // One more finds nothing to do.
    await succeed('mirror', 'run', 'm', ...to)
    await succeed('verify', home.data)

    const growth = PARTS.map((part) => ({
      part,
      heap: growthOf(looks.map((seen) => seen[part].heap)),
      objects: growthOf(looks.map((seen) => seen[part].objects)),
      files: growthOf(looks.map((seen) => seen[part].files)),
    }))
    tell(
      `growth: ${growth.map(({ part, heap, objects }) => `${part} ${kib(heap)} KiB, ${objects} objects`).join('; ')}`,
    )
    const tooMuch = growth.filter(
      ({ heap, objects, files }) => heap > GROWTH.heap || objects > GROWTH.objects || files > GROWTH.files,
    )
    expect(tooMuch).toEqual([])
  } finally {
    serving.child.kill('SIGKILL')
    await serving.ended
    await server.close()
  }
})

const reportSchema = z.object({ complete: z.boolean(), files: z.object({ fetched: z.number() }) })

/** What each part has in memory, once its garbage is collected. */
async function look(serving: Started, log: string): Promise<Record<Part, Memory>> {
  const told = async (part: Part): Promise<Memory> => {
    const pid = part === 'supervisor' ? (serving.child.pid ?? 0) : processOf(part, serving)
    const before = memoriesOf(log, pid).length
    process.kill(pid, 'SIGUSR2')
    return until(`${part} tells`, () => Promise.resolve(memoriesOf(log, pid)[before]))
  }
  return {
    supervisor: await told('supervisor'),
    workers: await told('workers'),
    schedules: await told('schedules'),
    dashboard: await told('dashboard'),
  }
}

function memoriesOf(log: string, pid: number): readonly Memory[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []
  return lines.map((line) => memorySchema.parse(JSON.parse(line))).filter((memory) => memory.pid === pid)
}

/** From the second quarter, when all is warm, to the last one. */
function growthOf(values: readonly number[]): number {
  const quarter = Math.floor(values.length / 4)
  return median(values.slice(-quarter)) - median(values.slice(quarter, 2 * quarter))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function kib(bytes: number): number {
  return Math.round(bytes / 1024)
}

function say(number: number, seen: Readonly<Record<Part, Memory>>): void {
  const parts = PARTS.map((part) => {
    const { heap, rss, objects, files } = seen[part]
    return `${part} heap ${kib(heap)} KiB, ${objects} objects, rss ${Math.round(rss / MIB)} MiB, ${files} files`
  })
  tell(`look ${number}: ${parts.join('; ')}`)
}

function tell(text: string): void {
  const line = `${new Date().toISOString()} ${text}\n`
  process.stderr.write(line)
  if (LOG !== undefined) appendFileSync(LOG, line)
}
