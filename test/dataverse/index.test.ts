import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { DATAFERRY_VERSION } from '../../src/dataverse/version.ts'
import * as api from '../../src/index.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Prints every module that is resolved; runs in the loader's thread, so it writes to the descriptor itself. */
const HOOK = `import { writeSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  writeSync(1, found.url + '\\n')
  return found
}`
const asUrl = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`

describe('the package', () => {
  it('exports what it documents, and nothing by accident', () => {
    expect(Object.keys(api).sort()).toEqual([
      'ALGORITHMS',
      'CITATION_FORMATS',
      'DEFAULT_MAX_BYTES',
      'DataAccessApi',
      'DataferryError',
      'Download',
      'ERROR_CODES',
      'Http',
      'NativeApi',
      'parseChecksum',
    ])
  })

  it('importing the client loads neither the queue nor Redis nor S3', async () => {
    const register = `import { register } from 'node:module'\nregister(${JSON.stringify(asUrl(HOOK))})`
    const program = `await import(${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)})`
    const args = ['--import', 'tsx', '--import', asUrl(register), '--input-type=module', '-e', program]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT })
    const loaded = stdout.split('\n')
    expect(loaded.some((url) => url.includes('/src/dataverse/http/http.ts'))).toBe(true)
    expect(loaded.some((url) => url.includes('/node_modules/undici/'))).toBe(true)
    expect(loaded.filter((url) => /\/node_modules\/(bullmq|ioredis|@aws-sdk|commander|pino)\//.test(url))).toEqual([])
  })

  it('names its own version to servers', async () => {
    const manifest: unknown = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8'))
    expect(manifest).toMatchObject({ version: DATAFERRY_VERSION })
  })
})
