import { existsSync } from 'node:fs'
import { describe } from 'vitest'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The system's browser; undefined: there is none. */
export const CHROMIUM = [process.env['CHROMIUM'], ...PLACES].find((path) => path !== undefined && existsSync(path))

/** It asks nobody outside for anything; as root it runs only without a sandbox of its own. */
export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Tests in a browser. Where there is none they are skipped and say so; in CI they fail. */
export function describeInBrowser(name: string, work: () => void): void {
  if (CHROMIUM !== undefined) return void describe(name, work)
  const loud = 'Chromium is not installed (package chromium, or CHROMIUM with its path): the pages are not tested.'
  if (process.env['CI']) throw new Error(loud)
  process.stderr.write(`SKIPPED: ${loud}\n`)
  describe.skip(`${name}: SKIPPED, as there is no Chromium`, work)
}
