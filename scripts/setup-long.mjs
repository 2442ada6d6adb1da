#!/usr/bin/env node
// What only the long tests need, where it may be installed: a browser for the pages, and promtool, which is unpacked and never
// started as a service. Tests that lack one of them are skipped and say so, or fail in CI; so this never fails.
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mayRunAsRoot, onPath, run, runAsRoot } from './programs.mjs'

const PROMETHEUS = fileURLToPath(new URL('../node_modules/.cache/dataferry/prometheus', import.meta.url))

if (onPath('apt-get') && mayRunAsRoot()) {
  if (!['chromium', 'chromium-browser', 'google-chrome'].some(onPath)) {
    say('installing Chromium')
    const install = 'apt-get update && apt-get install -y --no-install-recommends chromium'
    if (!runAsRoot(['env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', install]))
      say('Chromium could not be installed')
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

function say(text) {
  process.stderr.write(`setup: ${text}\n`)
}
