import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, PROGRAMS } from '../scripts/bundle.mjs'
import { bundledName } from './node-program.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const OUT = join(ROOT, 'node_modules', '.cache', 'dataferry', 'programs')
const STAND_IN = 'test/fakes/dataverse/main.ts'
const DAY_MS = 24 * 3600 * 1000

/**
 * Set-up of a test run: bundles what tests start as processes, as it is published. A process that loads its hundreds of files
 * needs half a second longer for that, at each of the hundreds of starts. See node-program.ts.
 */
export default async function bundlePrograms(): Promise<void> {
  // Vitest sets up once for each project.
  if (process.env['TEST_PROGRAMS'] !== undefined) return
  const { dataferry, health, ...others } = PROGRAMS
  const sources = [dataferry, health, STAND_IN, ...(await children())]
  const named = Object.fromEntries(sources.map((source) => [bundledName(source), source]))
  const fresh = join(OUT, String(process.pid))
  const metafile = await bundle({ ...named, ...others }, fresh, { logLevel: 'error' })
  await writeFile(join(fresh, 'package.json'), '{"type":"module"}')
  await writeFile(join(fresh, 'metafile.json'), JSON.stringify(metafile))
  await replace(fresh)
  process.env['TEST_PROGRAMS'] = OUT
}

/** Programs that are nothing but a part of a test. */
async function children(): Promise<string[]> {
  const names = await readdir(join(ROOT, 'test'), { recursive: true })
  return names.filter((name) => name.endsWith('.child.ts')).map((name) => join('test', name))
}

/** Each file is replaced in one step, and what was is kept for a day: another test run may be under way. */
async function replace(fresh: string): Promise<void> {
  const names = await readdir(fresh)
  for (const name of names) await rename(join(fresh, name), join(OUT, name))
  await rm(fresh, { recursive: true })
  for (const name of await readdir(OUT)) {
    const path = join(OUT, name)
    if ((await stat(path)).mtimeMs < Date.now() - DAY_MS) await rm(path, { recursive: true, force: true })
  }
}
