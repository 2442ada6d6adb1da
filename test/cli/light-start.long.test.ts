import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { VERBS } from '../../src/cli/commands.ts'
import { nodeProgram } from '../node-program.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
/** What only work needs: schemas, queue, Redis, requests, stores, logs. */
const HEAVY = /\/node_modules\/(zod|bullmq|ioredis|undici|@aws-sdk|pino)\//

/** Prints every module that is resolved; runs in the loader's thread, so it writes to the descriptor itself. */
const HOOK = `import { writeSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  writeSync(2, found.url + '\\n')
  return found
}`
const asUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
const REGISTER = asUrl(`import { register } from 'node:module'\nregister(${JSON.stringify(asUrl(HOOK))})`)

/** Addresses of the modules that a command line loads. */
async function loadedBy(...args: readonly string[]): Promise<readonly string[]> {
  const program = ['--import', REGISTER, ...nodeProgram(MAIN), ...args]
  const { stderr } = await promisify(execFile)(process.execPath, program).catch(failed)
  return stderr.split('\n')
}

function failed(error: unknown): { readonly stderr: string } {
  return { stderr: String(Reflect.get(Object(error), 'stderr')) }
}

it('version and help load nothing that only work needs, whatever the verb', async () => {
  const lines = [['--version'], ['--help'], ...VERBS.map(({ name }) => [name, '--help'])]
  for (const line of lines) {
    const loaded = await loadedBy(...line)
    expect(loaded.some((url) => url.includes('/src/cli/program.'))).toBe(true)
    expect({ line, heavy: loaded.filter((url) => HEAVY.test(url)) }).toEqual({ line, heavy: [] })
  }
})

it('a command that reads settings needs neither queue nor Redis nor requests nor stores', async () => {
  const loaded = await loadedBy('config')
  expect(loaded.some((url) => url.includes('/node_modules/zod/'))).toBe(true)
  expect(loaded.filter((url) => /\/node_modules\/(bullmq|ioredis|undici|@aws-sdk)\//.test(url))).toEqual([])
})

it('a worker of `serve` needs nothing of schedules, messages and planning', async () => {
  // It is refused when all that is loaded at once has been loaded.
  const loaded = await loadedBy('serve', 'nothing')
  expect(loaded.some((url) => url.includes('/workers/supervisor.'))).toBe(true)
  const unneeded = /\/node_modules\/(cron-parser|luxon|nodemailer)\/|\/src\/cli\/(intake|mirror\/with-mirror)\./
  expect(loaded.filter((url) => unneeded.test(url))).toEqual([])
})
