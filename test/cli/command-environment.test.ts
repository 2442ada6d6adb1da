import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { commandEnvironment } from '../../src/cli/supervision.ts'
import { load, tokenFor } from '../../src/config/config.ts'

const [A, B] = ['https://a.example.org', 'https://b.example.org']
const TOKEN = 'a-token-of-a'
afterEach(() => vi.unstubAllEnvs())

/** The settings of a command that was started by another one. */
function started(serve: readonly string[], command: readonly string[]): ReturnType<typeof load> {
  const flags = (servers: readonly string[]) => ({ server: { flag: '--server', value: servers } })
  const parent = load({ flags: serve.length === 0 ? {} : flags(serve), cwd: '/nonexistent' })
  return load({ flags: flags(command), env: commandEnvironment(parent), cwd: '/nonexistent' })
}

it('the token of a service goes to the server that it is for, whatever server its commands name', () => {
  vi.stubEnv('DATAVERSE_API_TOKEN', TOKEN)
  vi.stubEnv('DATAVERSE_SERVER', '')
  expect(tokenFor(started([A], [A]), A)).toBe(TOKEN)
  const other = started([A], [B])
  expect(tokenFor(other, B)).toBeUndefined()
  expect(other.warnings.join()).toContain(`is for ${A} and is not sent to ${B}`)
})

it('a token file that a service was given reaches its commands, for that server alone', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'df-token-')), 'token')
  writeFileSync(file, TOKEN, { mode: 0o600 })
  vi.stubEnv('DATAVERSE_SERVER', '')
  const flags = { server: { flag: '--server', value: [A] }, tokenFile: { flag: '--token-file', value: file } }
  const env = commandEnvironment(load({ flags, cwd: '/nonexistent' }))
  for (const [server, token] of [
    [A, TOKEN],
    [B, undefined],
  ] as const) {
    const command = load({ flags: { server: { flag: '--server', value: [server] } }, env, cwd: '/nonexistent' })
    expect(tokenFor(command, server)).toBe(token)
  }
  rmSync(dirname(file), { recursive: true })
})

it('of a service without a server, nobody knows whose the token is: no command gets it', () => {
  vi.stubEnv('DATAVERSE_API_TOKEN', TOKEN)
  vi.stubEnv('DATAVERSE_SERVER', '')
  expect(tokenFor(started([], [B]), B)).toBeUndefined()
})

it('its stop limits are not those of its commands', () => {
  vi.stubEnv('DATAFERRY_MAX_DURATION', '8h')
  vi.stubEnv('DATAFERRY_MAX_TRANSFER', '1G')
  expect(started([A], [A]).settings).not.toHaveProperty('maxDurationMs', 8 * 3_600_000)
  expect(started([A], [A]).settings.maxTransfer).toBeUndefined()
})
