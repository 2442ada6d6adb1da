#!/usr/bin/env node
// What only the long tests need, where it may be installed: a browser for the pages, and promtool, which is unpacked and never
// started as a service. Tests that lack one of them are skipped and say so, or fail in CI; so this never fails.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROMETHEUS = fileURLToPath(new URL('../node_modules/.cache/dataferry/prometheus', import.meta.url))

if (onPath('apt-get') && mayInstall()) {
  if (!['chromium', 'chromium-browser', 'google-chrome'].some(onPath)) {
    say('installing Chromium')
    const install = 'apt-get update && apt-get install -y --no-install-recommends chromium'
    if (!asRoot(['env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', install])) say('Chromium could not be installed')
  }
  if (!onPath('promtool') && !existsSync(join(PROMETHEUS, 'usr/bin/promtool'))) unpackPrometheus()
}

function unpackPrometheus() {
  say('unpacking promtool')
  mkdirSync(PROMETHEUS, { recursive: true })
  const fetched = run(['apt-get', 'download', 'prometheus'], PROMETHEUS)
  const archive = readdirSync(PROMETHEUS).find((name) => name.endsWith('.deb'))
  if (!fetched || !archive || !run(['dpkg-deb', '-x', archive, '.'], PROMETHEUS)) say('promtool could not be unpacked')
}

function mayInstall() {
  return process.getuid?.() === 0 || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
}

function asRoot(command) {
  return run([...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), ...command])
}

/** Runs a command with its output on standard error: standard output belongs to what comes after. */
function run([program, ...args], cwd) {
  return spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] }).status === 0
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}
