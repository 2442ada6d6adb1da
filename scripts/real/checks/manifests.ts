import { writeFile } from 'node:fs/promises'
import { must, mustEnd, records, type Bench, type Ended } from '../bench.ts'
import type { Check } from '../check.ts'
import { FIRST, RELEASED, type Released, type World } from '../world.ts'

/** Of version 1.0. */
const ONE = ['a/same.txt', 'hello.txt']

interface Case {
  readonly given: (bench: Bench) => string
  /** Names inside the dataset of the files that it stands for; undefined: those of version 2.0. */
  readonly names?: readonly string[]
}

/** Addresses of version 1.0, of the latest version or of a file, as browsers and other tools have them. */
const ADDRESSES: readonly Case[] = [
  { given: ({ url, world }) => `${url}/dataset.xhtml?persistentId=${world.main.pid}` },
  { given: ({ url, world }) => `${url}/dataset.xhtml;jsessionid=1a2b?persistentId=${world.main.pid}&tab=files` },
  { given: ({ url, world }) => `${url}/dataset.xhtml?persistentId=${world.main.pid}&amp;version=1.0`, names: ONE },
  { given: ({ url, world }) => `${url}/spa/datasets?persistentId=${world.main.pid}&version=1.0`, names: ONE },
  { given: ({ url, world }) => `${url}/api/datasets/${world.main.id}/versions/1.0/files`, names: ONE },
  { given: ({ url, world }) => `${url}/api/datasets/export?exporter=ddi&persistentId=${world.main.pid}` },
  {
    given: ({ url, world }) =>
      `${url}/api/datasets/:persistentId/dirindex?persistentId=${world.main.pid}&version=2.0&folder=b`,
    names: ['b/deep/same.txt'],
  },
  { given: (bench) => `${bench.url}/file.xhtml?fileId=${bench.file(FIRST.hello)}`, names: ['hello.txt'] },
  { given: (bench) => `${bench.url}/api/access/datafile/${bench.file(FIRST.hello)}`, names: ['hello.txt'] },
  { given: (bench) => `${bench.url}/api/files/${bench.file(FIRST.same)}/versions/1.0`, names: ['a/same.txt'] },
  { given: ({ world }) => world.main.pid.replace('doi:', 'doi.org/') },
  { given: ({ world }) => `"${world.main.pid.replaceAll('/', '%2F')}"` },
  { given: ({ world }) => `${world.main.pid}@V1`, names: ONE },
]

const MAIN: readonly Released[] = ['main']

/** Answers of the installation to a guest, saved and given as a manifest, and the datasets whose files they stand for. */
const ANSWERS: readonly Answer[] = [
  { path: ({ main }) => `datasets/${main.id}/versions/2.0/files` },
  { path: ({ main }) => `datasets/${main.id}` },
  { path: ({ main }) => `datasets/${main.id}/versions/:latest-published` },
  { path: ({ alias }) => `dataverses/${alias}-within/contents`, datasets: ['counted'] },
  { path: ({ main }) => `datasets/export?exporter=dataverse_json&persistentId=${main.pid}` },
  { path: ({ main }) => `datasets/export?exporter=schema.org&persistentId=${main.pid}` },
  { path: ({ main }) => `datasets/export?exporter=OAI_ORE&persistentId=${main.pid}` },
  { path: ({ main }) => `datasets/export?exporter=croissant&persistentId=${main.pid}` },
]

const SEARCHES: readonly Answer[] = [
  { path: ({ alias }) => `search?q=*&type=dataset&subtree=${alias}`, datasets: RELEASED },
  { path: ({ alias }) => `search?q=*&type=file&per_page=100&subtree=${alias}`, datasets: RELEASED },
]

interface Answer {
  readonly path: (world: World) => string
  readonly datasets?: readonly Released[]
}

export const MANIFESTS: readonly Check[] = [
  {
    name: 'addresses mean what they say: dataset, version, folder, file',
    run: async (bench) => {
      for (const { given, names = namesOf(bench.world, MAIN) } of ADDRESSES) {
        const list = bench.path('list.txt')
        await writeFile(list, `${given(bench)}\n`)
        await mustPlan(bench, [list], names)
      }
    },
  },
  {
    name: 'what would narrow and cannot be obeyed is refused by name',
    run: async (bench) => {
      const page = `${bench.url}/dataset.xhtml?persistentId=${bench.world.main.pid}&limit=3`
      const ended = await plan(bench, [page])
      mustEnd(ended, 2)
      must(/limit/.test(ended.text), 'the parameter is not named', ended)
    },
  },
  { name: 'saved answers and exports mean the files that they name', run: (bench) => mustTake(bench, ANSWERS) },
  {
    name: 'saved searches mean the files that they found',
    needs: ({ searchable }) => searchable,
    run: (bench) => mustTake(bench, SEARCHES),
  },
]

async function mustTake(bench: Bench, answers: readonly Answer[]): Promise<void> {
  const { world, installation } = bench
  for (const { path, datasets = MAIN } of answers) {
    const saved = bench.path('answer.json')
    await writeFile(saved, await installation.text('GET', path(world), undefined, 'guest'))
    await mustPlan(bench, [saved], namesOf(world, datasets))
  }
}

function plan(bench: Bench, args: readonly string[]): Promise<Ended> {
  return bench.dataferry(['plan', ...args, '--list', '--json', '--new', '--to', bench.path('planned')])
}

/** That exactly these files are planned, by their names inside their datasets. */
async function mustPlan(bench: Bench, args: readonly string[], names: readonly string[]): Promise<void> {
  const ended = await plan(bench, args)
  mustEnd(ended, 0)
  const listed = records(ended).filter(({ event }) => event === 'file')
  const paths = listed.map(({ path }) => String(path))
  must(paths.length === names.length, `planned were ${paths.join(', ')}, not ${names.join(', ')}`, ended)
  // Lists that do not say of which dataset they are have no folder for it, and CON.txt becomes _CON.txt.
  for (const name of names) {
    const end = name.replace('CON.txt', '_CON.txt')
    must(
      paths.some((path) => path === end || path.endsWith(`/${end}`)),
      `${name} is not planned`,
      ended,
    )
  }
}

/** Names inside their datasets. */
function namesOf(world: World, datasets: readonly Released[]): readonly string[] {
  const files = datasets.flatMap((name) => world[name]?.files ?? [])
  return files.map(({ directory, name }) => [directory, name].filter(Boolean).join('/'))
}
