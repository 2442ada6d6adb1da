// Loaded into a dataferry process with `--import`: writes what the process used into the file that the environment names.
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'

const file = process.env['BENCH_USAGE']
process.on('exit', () => {
  if (!file) return
  const { user, system } = process.cpuUsage()
  writeFileSync(file, JSON.stringify({ cpuSeconds: (user + system) / 1e6, peakRss: peakRss() }))
})

/** Bytes. The kernel's own mark where there is one: `maxRSS` of a fresh process begins with that of its parent. */
function peakRss() {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    if (kib) return Number(kib) * 1024
  } catch {
    // No /proc here.
  }
  return process.resourceUsage().maxRSS * 1024
}
