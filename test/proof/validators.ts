import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../.cache/validators', import.meta.url))
const PYTHON = join(ROOT, 'python', 'bin')
const exec = promisify(execFile)

/** Whether `scripts/validators.mjs` could install those from PyPI; in CI they must be there. */
export const hasPython = process.env['CI'] !== undefined || existsSync(join(ROOT, 'python.txt'))
export const hasRocfl = existsSync(join(ROOT, 'bin', 'rocfl'))

export interface Verdict {
  readonly code: number
  readonly text: string
}

/** The cache of roc-validator, with the context of crates. */
export const CONTEXT_CACHE = join(ROOT, 'context', 'http')

/** Runs a program of the virtual environment. */
export function python(program: string, ...args: readonly string[]): Promise<Verdict> {
  return run(join(PYTHON, program), args)
}

export function rocfl(...args: readonly string[]): Promise<Verdict> {
  return run(join(ROOT, 'bin', 'rocfl'), args)
}

async function run(program: string, args: readonly string[]): Promise<Verdict> {
  try {
    const { stdout, stderr } = await exec(program, args, { maxBuffer: 64 << 20 })
    return { code: 0, text: stdout + stderr }
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') throw error
    const said = 'stdout' in error && 'stderr' in error ? `${String(error.stdout)}${String(error.stderr)}` : ''
    return { code: error.code, text: said }
  }
}
