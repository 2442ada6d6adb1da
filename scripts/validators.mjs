#!/usr/bin/env node
// Validators that other people wrote, for the long tests: `bagit`, `bdbag`, `ocfl-py` and `roc-validator` from PyPI in a virtual
// environment in .cache/validators, where `npm ci` leaves it alone, and `rocfl` by cargo. Run by `npm run test:long`; does nothing when all is there. Where one
// cannot be installed it is said, and its tests are skipped; with CI set, those from PyPI must be there (exit code 3).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './programs.mjs'

const PACKAGES = ['bagit==1.9.0', 'bdbag==1.8.0', 'ocfl-py==2.1.0', 'roc-validator==0.13.0']
const ROCFL = '1.7.0'
/** Has the context of RO-Crate 1.2 in it, which is CC0: nothing else of the package is used. */
const CONTEXT = 'ro-crate@3.7.2'
const root = fileURLToPath(new URL('../.cache/validators', import.meta.url))
const stamp = join(root, 'python.txt')

mkdirSync(root, { recursive: true })
if (!installPython()) {
  const message = `validators: ${PACKAGES.join(', ')} could not be installed; their messages are above, and their tests`
  process.stderr.write(`${message} ${process.env.CI ? 'must not be skipped in CI' : 'are SKIPPED'}.\n`)
  if (process.env.CI) process.exit(3)
}
if (!installRocfl()) {
  process.stderr.write(
    `validators: rocfl ${ROCFL} could not be built (it needs a newer Rust); its tests are SKIPPED.\n`,
  )
}

function installPython() {
  const wanted = PACKAGES.join('\n')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return true
  process.stderr.write(`validators: installing ${PACKAGES.join(', ')} (pip)\n`)
  rmSync(join(root, 'python'), { recursive: true, force: true })
  const python = process.env.PYTHON ?? 'python3'
  if (!run([python, '-m', 'venv', join(root, 'python')])) return false
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]
  if (!run([join(root, 'python', 'bin', 'python'), ...pip])) return false
  if (!fillContextCache()) return false
  writeFileSync(stamp, wanted)
  return true
}

/** roc-validator fetches the context of a crate from the web: it is put into its cache. */
function fillContextCache() {
  const folder = join(root, 'context')
  mkdirSync(folder, { recursive: true })
  if (!run(['npm', 'pack', '--silent', '--pack-destination', folder, CONTEXT])) return false
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  if (!run(['tar', '-xzf', join(folder, archive), '-C', folder, 'package/lib/context.json'])) return false
  const script = fileURLToPath(new URL('fill-context-cache.py', import.meta.url))
  const cache = join(folder, 'http')
  return run([join(root, 'python', 'bin', 'python'), script, cache, join(folder, 'package', 'lib', 'context.json')])
}

function installRocfl() {
  if (existsSync(join(root, 'bin', 'rocfl'))) return true
  // A version of Rust that cannot build it will not be able to next time either.
  const tried = join(root, 'rocfl.txt')
  const rust = spawnSync('rustc', ['--version'], { encoding: 'utf8' }).stdout ?? 'no Rust'
  if (existsSync(tried) && readFileSync(tried, 'utf8') === `${ROCFL} ${rust}`) return false
  process.stderr.write(`validators: building rocfl ${ROCFL} (cargo)\n`)
  const args = ['install', '--quiet', '--locked', '--version', ROCFL, '--no-default-features', '--root', root, 'rocfl']
  if (run(['cargo', ...args])) return true
  writeFileSync(tried, `${ROCFL} ${rust}`)
  return false
}
