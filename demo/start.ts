import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { demoFaults, demoWorld } from '../test/fakes/dataverse/demo-world.ts'
import { startDataverse, type StandIn } from '../test/fakes/dataverse/server.ts'

/**
 * What `npm start` runs. With arguments: the command line itself. Without: a demonstration on this machine alone, a
 * manifest of three datasets fetched from the bundled stand-in for a Dataverse installation.
 */

const CLI = fileURLToPath(new URL('../dist/bin/dataferry.js', import.meta.url))
const FOLDER = 'demo-data'
/** The same address each time, so that an interrupted demonstration goes on as the same batch. */
const PORTS = { port: 48_611, storagePort: 48_612 }
const MANIFEST = `dataset,version
doi:10.5072/FK2/CLIMATE,
doi:10.5072/FK2/SURVEY,2.0
doi:10.5072/FK2/ARCHIVE,
`

async function demo(): Promise<number> {
  const standIn = await startStandIn()
  // Ctrl-C reaches the command too, which parks its files first; then this process follows.
  process.on('SIGINT', () => undefined)
  try {
    await mkdir(FOLDER, { recursive: true })
    const manifest = join(FOLDER, 'manifest.csv')
    await writeFile(manifest, MANIFEST)
    say(`A stand-in for a Dataverse installation runs at ${standIn.url}; some of its answers are faulty on purpose.`)
    const files = join(FOLDER, 'files')
    const args = ['run', manifest, '--server', standIn.url, '--to', files]
    // Somebody may have deleted the folder of an earlier demonstration, which dataferry takes for a disk that is not mounted.
    if (!existsSync(join(files, '.dataferry'))) args.push('--new')
    say(`$ dataferry ${args.join(' ')}\n`)
    const code = await run(args, { DATAFERRY_THROTTLE_FIRST: '2s', DATAFERRY_RETRY_WAIT: '500ms' })
    return await explain(code)
  } finally {
    await standIn.close()
  }
}

async function startStandIn(): Promise<StandIn> {
  const options = { world: demoWorld(), faults: demoFaults() }
  try {
    return await startDataverse({ ...options, ...PORTS })
  } catch {
    say('The usual ports of the demonstration are taken: another pair is used.')
    return startDataverse(options)
  }
}

/** Runs the command line as its users do, in a process of its own. @returns its exit code, 130 when it was killed */
function run(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: 'inherit',
    env: { ...settings, ...process.env },
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 130))
  })
}

/** The restricted file is meant to fail: then the demonstration went as it should. */
async function explain(code: number): Promise<number> {
  if (code === 130) {
    say('\nStopped. Run npm start again: it continues where it stopped.')
    return code
  }
  if (!(await failedAsIntended())) return code
  say(`
The one failure is meant to be: that file is restricted, and no token is set. Run npm start again and it finds the
rest in seconds; kill it in the middle and it goes on at the byte.

On a real server:
  npm start -- manifest.csv --server https://demo.dataverse.org --to ./data
  npm start -- doi:10.70122/FK2/EXAMPLE --server https://demo.dataverse.org --dry-run
with DATAVERSE_API_TOKEN set for files that need one. npm start -- --help shows every command.`)
  return 0
}

async function failedAsIntended(): Promise<boolean> {
  const batches = join(FOLDER, 'files', '.dataferry')
  if (!existsSync(batches)) return false
  const reports = (await readdir(batches)).filter((name) => name.startsWith('manifest-')).sort()
  const newest = reports.at(-1)
  if (newest === undefined) return false
  const report: unknown = JSON.parse(await readFile(join(batches, newest, 'report.json'), 'utf8'))
  const failures = typeof report === 'object' && report !== null && 'failures' in report ? report.failures : undefined
  return JSON.stringify(failures) === '{"SOURCE_DENIED":1}'
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

const args = process.argv.slice(2)
process.exitCode = args.length > 0 ? await run(args) : await demo()
