import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { it } from 'vitest'

const UNPACKED = fileURLToPath(
  new URL('../../node_modules/.cache/dataferry/prometheus/usr/bin/promtool', import.meta.url),
)
const PROMTOOL = [process.env['PROMTOOL'], UNPACKED, '/usr/bin/promtool'].find(
  (path) => path !== undefined && existsSync(path),
)

if (PROMTOOL === undefined) {
  const loud =
    'promtool is not installed (package prometheus, or PROMTOOL with its path): metrics and rules are not checked.'
  if (process.env['CI']) throw new Error(loud)
  process.stderr.write(`SKIPPED: ${loud}\n`)
}
export const itWithPromtool: typeof it.skip = PROMTOOL === undefined ? it.skip : it

/** Runs it, with an input. */
export function promtool(
  args: readonly string[],
  input = '',
): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(PROMTOOL ?? '', args, { input, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}
