import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { VERBS } from '../../src/cli/commands.ts'
import { nodeProgram } from '../node-program.ts'

const metafileSchema = z.object({
  outputs: z.record(z.string(), z.object({ inputs: z.record(z.string(), z.object({ bytesInOutput: z.number() })) })),
})
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
/** What only work needs: schemas, queue, Redis, requests, stores, logs. */
const HEAVY = /^node_modules\/(zod|bullmq|ioredis|undici|@aws-sdk|pino)\//

/** Prints every module that is resolved; runs in the loader's thread, so it writes to the descriptor itself. */
const HOOK = `import { writeSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  writeSync(2, found.url + '\\n')
  return found
}`
const asUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
const REGISTER = asUrl(`import { register } from 'node:module'\nregister(${JSON.stringify(asUrl(HOOK))})`)

/** Sources and packages of which a command line loads something. */
async function loadedBy(...args: readonly string[]): Promise<readonly string[]> {
  const program = ['--import', REGISTER, ...nodeProgram(MAIN), ...args]
  const { stderr } = await promisify(execFile)(process.execPath, program).catch(failed)
  const files = new Set(stderr.split('\n').map((url) => posix.basename(url)))
  const outputs = Object.entries((await bundled()).outputs).filter(([path]) => files.has(posix.basename(path)))
  return outputs.flatMap(([, { inputs }]) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  )
}

/** What the files of the program were made of. */
async function bundled(): Promise<z.infer<typeof metafileSchema>> {
  return metafileSchema.parse(
    JSON.parse(await readFile(join(process.env['TEST_PROGRAMS'] ?? '', 'metafile.json'), 'utf8')),
  )
}

function failed(error: unknown): { readonly stderr: string } {
  return { stderr: String(Reflect.get(Object(error), 'stderr')) }
}

it('version and help load nothing that only work needs, whatever the verb', async () => {
  const lines = [['--version'], ['--help'], ...VERBS.map(({ name }) => [name, '--help'])]
  for (const line of lines) {
    const loaded = await loadedBy(...line)
    expect(loaded.some((path) => path === 'src/cli/program.ts')).toBe(true)
    expect({ line, heavy: loaded.filter((path) => HEAVY.test(path)) }).toEqual({ line, heavy: [] })
  }
})

it('a command that reads settings needs neither queue nor Redis nor requests nor stores', async () => {
  const loaded = await loadedBy('config')
  expect(loaded.some((path) => path.startsWith('node_modules/zod/'))).toBe(true)
  expect(loaded.filter((path) => /^node_modules\/(bullmq|ioredis|undici|@aws-sdk)\//.test(path))).toEqual([])
})

it('a worker of `serve` needs nothing of schedules, messages and planning', async () => {
  // It is refused when all that is loaded at once has been loaded.
  const loaded = await loadedBy('serve', 'nothing')
  expect(loaded.some((path) => path === 'workers/supervisor.ts')).toBe(true)
  const unneeded = /^node_modules\/(cron-parser|nodemailer)\/|^src\/cli\/(intake|mirror\/with-mirror)\./
  expect(loaded.filter((path) => unneeded.test(path))).toEqual([])
})
