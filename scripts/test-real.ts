import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bench } from './real/bench.ts'
import type { Check } from './real/check.ts'
import { COUNTING } from './real/checks/counting.ts'
import { FINDING } from './real/checks/finding.ts'
import { MANIFESTS } from './real/checks/manifests.ts'
import { SINGLE_FILES } from './real/checks/single-files.ts'
import { TABLES } from './real/checks/tables.ts'
import { WHOLE_DATASETS } from './real/checks/whole-datasets.ts'
import { Installation } from './real/installation.ts'
import { inWorld } from './real/world.ts'

const CHECKS: readonly Check[] = [...WHOLE_DATASETS, ...SINGLE_FILES, ...TABLES, ...COUNTING, ...FINDING, ...MANIFESTS]

/**
 * `npm run test:real`: the promises of the README against a real installation, in a collection of its own that it removes.
 * Needs DATAVERSE_TEST_URL and the token of a superuser in DATAVERSE_TEST_TOKEN; does nothing without them.
 */
async function main(): Promise<number> {
  const { DATAVERSE_TEST_URL: url, DATAVERSE_TEST_TOKEN: token } = process.env
  if (!url || !token) {
    say('test:real: nothing done. Set DATAVERSE_TEST_URL, and a superuser token in DATAVERSE_TEST_TOKEN.')
    return 0
  }
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const installation = new Installation(url, token)
  const folder = await mkdtemp(join(tmpdir(), 'dataferry-real-'))
  try {
    return await inWorld(installation, async (world) => {
      const failed = await failures(new Bench(installation, world, folder), interrupted.signal)
      return interrupted.signal.aborted ? 130 : failed === 0 ? 0 : 1
    })
  } catch (error) {
    say(`test:real: the collection to test with cannot be made or removed: ${messageOf(error)}`)
    return 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs the checks until all are done, or it is interrupted. */
async function failures(bench: Bench, interrupted: AbortSignal): Promise<number> {
  const ended = { ok: 0, FAIL: 0, '-': 0 }
  for (const words of bench.world.missing) say(`-     not made here: ${words}`)
  for (const { name, needs, run } of CHECKS) {
    if (interrupted.aborted) break
    const wrong = needs?.(bench.world) === false ? 'left out' : await run(bench).then(() => undefined, messageOf)
    const word = wrong === undefined ? 'ok' : wrong === 'left out' ? '-' : 'FAIL'
    ended[word]++
    say(`${word.padEnd(5)} ${name}${wrong === undefined ? '' : `\n      ${wrong.replaceAll('\n', '\n      ')}`}`)
  }
  const leftOut = ended['-'] === 0 ? '' : `, ${ended['-']} left out`
  say(`${ended.ok} of ${ended.ok + ended.FAIL} promises kept${leftOut}`)
  return ended.FAIL
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
