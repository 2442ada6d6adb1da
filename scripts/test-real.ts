import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CHECKS } from './real/checks.ts'
import { Installation } from './real/server.ts'
import { makeWorld } from './real/world.ts'

/**
 * `npm run test:real`: the promises of the README against a real installation, in a collection of its own that it removes.
 * Needs DATAVERSE_TEST_URL and the token of a superuser in DATAVERSE_TEST_TOKEN; does nothing without them.
 */
async function main(): Promise<number> {
  const { DATAVERSE_TEST_URL: url, DATAVERSE_TEST_TOKEN: token } = process.env
  if (!url || !token) {
    say('test:real: nothing done. Set DATAVERSE_TEST_URL, and a superuser token in DATAVERSE_TEST_TOKEN.')
    return 0
  }
  const folder = await mkdtemp(join(tmpdir(), 'dataferry-real-'))
  const world = await makeWorld(new Installation(url, token))
  let failed = 0
  try {
    for (const words of world.missing) say(`-     not made here: ${words}`)
    for (const { name, run } of CHECKS) {
      const wrong = await run({ url, token, folder, world }).catch((error: unknown) => String(error))
      say(wrong === undefined ? `ok    ${name}` : `FAIL  ${name}\n      ${wrong.replaceAll('\n', '\n      ')}`)
      if (wrong !== undefined) failed++
    }
  } finally {
    await world.remove()
    await rm(folder, { recursive: true, force: true })
  }
  say(`${CHECKS.length - failed} of ${CHECKS.length} promises kept`)
  return failed === 0 ? 0 : 1
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
