import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Repository } from '../test/fakes/dataverse/repository.ts'
import type { FileSpec } from '../test/fakes/dataverse/specs.ts'
import { startDataverse } from '../test/fakes/dataverse/server.ts'
import { World } from '../test/fakes/dataverse/world.ts'

/**
 * What `npm run demo:mirror` runs, on this machine alone: a mirror of a collection, a change on the server, a second run, and
 * what it changed.
 */

const CLI = fileURLToPath(new URL('../dist/bin/dataferry.js', import.meta.url))
const FOLDER = join('demo-data', 'mirror')
const [GRIDS, SURVEY] = ['doi:10.5072/FK2/GRIDS', 'doi:10.5072/FK2/SURVEY']

async function demo(): Promise<void> {
  const world = new World()
  world.collection('climate', { title: 'Climate' })
  const repository = new Repository(world)
  const grids = Array.from({ length: 4 }, (_, n) => file(`grid-${n}.nc`, { size: 50_000 + n * 700, seed: n }, 'grids'))
  repository.deposit(GRIDS, [file('README.md', '# Grids\n'), ...grids], { collection: 'climate' })
  repository.deposit(SURVEY, [file('answers.csv', 'a,b\n1,2\n')], { collection: 'climate' })
  const server = await startDataverse({ world })
  const to = ['--to', FOLDER, '--server', server.url]
  try {
    await rm(FOLDER, { recursive: true, force: true })
    await run(['mirror', 'create', 'climate', '--collection', 'climate', ...to])
    await run(['mirror', 'run', 'climate', ...to])
    say(
      '\nNow the repository changes: a new version of the grids has another README, one file less and a renamed folder,' +
        '\nand the survey is deaccessioned. A second run finds that out:',
    )
    repository.publish(GRIDS, ([readme, , ...rest]) => [
      { ...file('README.md', '# Grids, corrected\n'), replaces: readme?.id ?? 0 },
      ...rest.map((one) => ({ ...one, directory: 'grids-v2' })),
    ])
    repository.deaccession(SURVEY, 'The questions were wrong.')
    await run(['mirror', 'run', 'climate', ...to])
    await run(['mirror', 'changes', 'climate', ...to])
    await run(['mirror', 'status', 'climate', ...to])
    await run(['verify', FOLDER])
    say(`\nLook around in ${FOLDER}: what was replaced or removed is in .dataferry/mirrors/climate/superseded.`)
  } finally {
    await server.close()
  }
}

function file(label: string, content: FileSpec['content'] & {}, directory?: string): FileSpec {
  return { label, content, ...(directory !== undefined && { directory }) }
}

/** Runs the command line as its users do, in a process of its own. */
async function run(args: readonly string[]): Promise<void> {
  say(`\n$ dataferry ${args.join(' ')}`)
  const child = spawn(process.execPath, [CLI, ...args], { stdio: 'inherit' })
  await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

await demo()
