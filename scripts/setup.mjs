#!/usr/bin/env node
// Makes a fresh clone ready: the packages of package-lock.json, and a Redis to start. `npm start` and `npm test` run it
// first. It needs nothing but Node.js, says on standard error each thing that it does, and says and does nothing when
// all is there. Exit code 3: something is missing that it cannot install; the message has the command that does.
// With --all also programs that single tests look for: those that cannot be installed are said, and their tests skipped.
import { createHash } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRoot, mayRunAsRoot, onPath, run, runAsRoot } from './programs.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const LEAST_NODE = [20, 19]

/**
 * How systems install Redis or its drop-in Valkey. None of these starts a service for all users: dataferry starts a
 * private one when it needs it. On Debian and Ubuntu a package starts its service unless policy-rc.d says no (101).
 * @see https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
 */
const MANAGERS = [
  {
    name: 'apt-get',
    hint: 'apt-get install -y --no-install-recommends redis-server',
    command: [
      'sh',
      '-c',
      `export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\\nexit 101\\n' >"$policy" && chmod 755 "$policy"
fi
apt-get update && apt-get install -y --no-install-recommends redis-server || exit 1
if [ -d /run/systemd/system ]; then systemctl disable --quiet redis-server; fi
exit 0`,
    ],
  },
  {
    name: 'dnf',
    hint: 'dnf install -y valkey',
    command: ['sh', '-c', 'dnf install -y valkey || dnf install -y redis'],
  },
  { name: 'apk', hint: 'apk add redis', command: ['apk', 'add', '--no-cache', 'redis'] },
  { name: 'pacman', hint: 'pacman -S valkey', command: ['pacman', '-Sy', '--noconfirm', '--needed', 'valkey'] },
  { name: 'brew', hint: 'brew install redis', command: ['brew', 'install', 'redis'], asUser: true },
]

/** Programs of Debian and Ubuntu, with their package. */
const EXTRAS = { 'systemd-analyze': 'systemd' }

checkNode()
installPackages()
if (!process.env.REDIS_URL) installRedis()
if (process.argv.includes('--all')) for (const program of Object.keys(EXTRAS)) installExtra(program)

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return
  fail(`Node.js ${LEAST_NODE.join('.')} or newer is needed, this is ${process.versions.node}: see https://nodejs.org`)
}

/** Runs `npm ci` when node_modules is not what package-lock.json says. A stamp in node_modules remembers the lock. */
function installPackages() {
  const lockFile = join(root, 'package-lock.json')
  const stampFile = join(root, 'node_modules', '.dataferry-setup')
  const lock = createHash('sha256').update(readFileSync(lockFile)).digest('hex')
  if (read(stampFile) === lock) return
  if (!installedByHand(lockFile)) {
    say('installing the packages of package-lock.json (npm ci)')
    // npm says where it is when it runs this; on Windows it is no program that could be started by name.
    const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm']
    if (!run([...npm, 'ci', '--no-audit', '--no-fund'], root)) fail('npm ci did not succeed; its messages are above')
  }
  writeFileSync(stampFile, lock)
}

/** Whether `npm install` or `npm ci` ran since the lock changed: npm then writes a copy of the lock, and last of all. */
function installedByHand(lockFile) {
  const copy = statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false })
  return copy !== undefined && copy.mtimeMs >= statSync(lockFile).mtimeMs
}

function installRedis() {
  if (onPath('redis-server') || onPath('valkey-server')) return
  const manager = MANAGERS.find(({ name }) => onPath(name))
  if (!manager) fail(`Redis is missing: install redis-server or valkey-server, or set REDIS_URL to a running one`)
  const needsRoot = !manager.asUser
  const advice = `run: ${needsRoot && !isRoot ? 'sudo ' : ''}${manager.hint}\n  or set REDIS_URL to a running Redis`
  if (needsRoot && !mayRunAsRoot()) fail(`Redis is missing, and installing it needs your password; ${advice}`)
  say(`installing Redis with ${manager.name}`)
  const done = needsRoot ? runAsRoot(manager.command, root) : run(manager.command, root)
  if (!done || !(onPath('redis-server') || onPath('valkey-server'))) fail(`Redis could not be installed; ${advice}`)
}

function installExtra(program) {
  if (onPath(program)) return
  const name = EXTRAS[program]
  const hint = `tests that need ${program} are skipped; on Debian it is in the package ${name}`
  if (!onPath('apt-get') || !mayRunAsRoot()) return say(hint)
  say(`installing ${name} with apt-get`)
  const install = `export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get install -y --no-install-recommends ${name}`
  const done = runAsRoot(['sh', '-c', install], root)
  if (!done || !onPath(program)) say(hint)
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(3)
}
