import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { filesIn, must, mustEnd, record } from '../bench.ts'
import type { Check } from '../check.ts'
import { cuttingProxy } from '../cutting-proxy.ts'
import type { NewFile } from '../installation.ts'
import { FIRST, SECOND } from '../world.ts'

/** Whole datasets in batches: what comes, what does not, and what is said of it. */
export const WHOLE_DATASETS: readonly Check[] = [
  {
    name: 'doctor finds server and token sound',
    run: async (bench) => {
      const ended = await bench.dataferry(['doctor', '--to', bench.path('doctor')], 'admin')
      must(/ok +Server/.test(ended.text) && /ok +Token/.test(ended.text), 'not both are sound', ended)
    },
  },
  {
    name: 'doctor takes the token of a preview URL for what it is, and it shows the draft',
    run: async (bench) => {
      const { main } = bench.world
      const preview = z.object({ token: z.string() })
      const { token } = await bench.installation.call('POST', `datasets/${main.id}/privateUrl`, preview)
      const doctor = await bench.dataferry(['doctor', '--to', bench.path('doctor')], { token })
      must(/ok +Token/.test(doctor.text), 'the token is not sound', doctor)
      const to = bench.path('preview')
      mustEnd(await bench.dataferry(['run', `${main.pid}@:draft`, '--to', to], { token }), 0)
      must(
        (await filesIn(to)).some((path) => path.endsWith('draft.txt')),
        'draft.txt is not there',
      )
    },
  },
  {
    name: 'a guest gets what is public, verified, and what is not is named with its code',
    run: async (bench) => {
      const to = bench.path('guest')
      const ended = await bench.dataferry(['run', bench.world.main.pid, '--to', to])
      mustEnd(ended, 1)
      const { main, embargoed } = bench.world
      await mustHave(
        to,
        main.files.filter((file) => file.name !== SECOND.secret.name && file !== embargoed),
      )
      const failures = await record(to, 'failures.csv')
      must(/secret\.txt.*SOURCE_DENIED|SOURCE_DENIED.*secret\.txt/.test(failures), `failures.csv: ${failures}`, ended)
      must(!/draft/.test(failures), 'the draft is named', ended)
    },
  },
  {
    name: 'a version comes whole with a token: folders, odd names, restricted files, originals of tables',
    run: async (bench) => {
      const to = bench.path('all')
      mustEnd(await bench.dataferry(['run', `${bench.world.main.pid}@2.0`, '--to', to], 'admin'), 0)
      await mustHave(to, bench.world.main.files)
      must(/CON\.txt/.test(await record(to, 'renamed.csv')), 'renamed.csv does not have CON.txt')
    },
  },
  {
    name: 'what is there is not fetched again, and verify finds it right',
    run: async (bench) => {
      await using proxy = await cuttingProxy(bench.url, 0, 0)
      const command = ['run', `${bench.world.main.pid}@2.0`, '--to', bench.path('twice')]
      mustEnd(await bench.dataferry(command, 'admin', proxy.url), 0)
      const before = proxy.asked.length
      mustEnd(await bench.dataferry([...command, '--new'], 'admin', proxy.url), 0)
      must(proxy.asked.length === before, `${proxy.asked.length - before} files were asked for again`)
      mustEnd(await bench.dataferry(['verify', bench.path('twice')]), 0)
    },
  },
  {
    name: 'with --bundle small files travel together, and each is verified as if it came alone',
    run: async (bench) => {
      await using proxy = await cuttingProxy(bench.url, 0, 0)
      const to = bench.path('bundled')
      const command = ['run', `${bench.world.main.pid}@2.0`, '--bundle', 'auto', '--to', to]
      const ended = await bench.dataferry(command, 'admin', proxy.url)
      mustEnd(ended, 0)
      await mustHave(to, bench.world.main.files)
      const all = bench.world.main.files.length
      must(proxy.asked.length < all / 2, `${proxy.asked.length} of ${all} files came singly`, ended)
    },
  },
  {
    name: 'an older version has its own files alone',
    run: async (bench) => {
      const to = bench.path('first')
      mustEnd(await bench.dataferry(['run', `${bench.world.main.pid}@1.0`, '--to', to]), 0)
      await mustHave(to, Object.values(FIRST))
    },
  },
  {
    name: 'a draft comes with a token alone, and a version that is not there is refused',
    run: async (bench) => {
      const { pid } = bench.world.main
      mustEnd(await bench.dataferry(['plan', `${pid}@:draft`, '--to', bench.path('draft')], 'admin'), 0)
      for (const version of [':draft', '7.0']) {
        const ended = await bench.dataferry(['plan', `${pid}@${version}`, '--to', bench.path(`not-${version}`)])
        must(ended.code === 1, `version ${version} was planned for a guest`, ended)
      }
    },
  },
  {
    name: 'a deaccessioned dataset is told from an unpublished and an unknown one, with reason and forwarding address',
    run: async (bench) => {
      const { deaccessioned, unpublished } = bench.world
      const plan = (pid: string) => bench.dataferry(['plan', pid, '--json', '--to', bench.path('none')])
      const gone = await plan(deaccessioned.pid)
      must(/deaccessioned: dataferry test See https:\/\/example.org\/new/.test(gone.text), 'not said', gone)
      const never = await plan(unpublished.pid)
      must(/SOURCE_DENIED/.test(never.text), 'not said', never)
      const unknown = await plan(`${unpublished.pid}NONE`)
      must(/SOURCE_NOT_FOUND/.test(unknown.text), 'not said', unknown)
      for (const ended of [gone, never, unknown]) mustEnd(ended, 1)
    },
  },
]

/** That exactly these files are there, below the folder of their dataset, with the bytes that were uploaded. */
async function mustHave(to: string, wanted: readonly NewFile[]): Promise<void> {
  const there = await filesIn(to)
  const list = there.join(', ')
  must(there.length === wanted.length, `expected ${wanted.length} files: ${list}`)
  for (const { name, directory, content } of wanted) {
    // A name that is no good everywhere is changed.
    const inside = [directory, name.replace('CON.txt', '_CON.txt')].filter(Boolean).join('/')
    const found = there.find((path) => path.split('/').slice(1).join('/') === inside)
    must(found !== undefined, `${inside} is not there: ${list}`)
    const bytes = await readFile(join(to, found))
    must(bytes.equals(Buffer.from(content)), `${inside} has other bytes`)
  }
}
