import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { interruption } from '../../src/cli/interruption.ts'
import { DataferryError } from '../../src/errors.ts'
import { nodeProgram } from '../node-program.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
let cwd: string

beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-main-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

/** Starts the program as a shell would. */
function start(...args: readonly string[]) {
  return spawn(process.execPath, [...nodeProgram(MAIN), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function ended(child: ReturnType<typeof start>) {
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { exit: exit as unknown[], out, err }
}

describe('the program', () => {
  it('gives results on standard output, and its exit code to the shell', async () => {
    expect(await ended(start('config', '--json', '--jobs', '7'))).toMatchObject({
      exit: [0, null],
      out: expect.stringContaining('"name":"jobs","value":7') as string,
      err: '',
    })
    expect(await ended(start('confgi'))).toMatchObject({ exit: [2, null], out: '' })
  })

  it('a reader that goes away is no error', async () => {
    const child = start('config', '--json')
    child.stdout.destroy()
    const [code] = (await once(child, 'exit')) as unknown[]
    expect([0, 130]).toContain(code)
    expect(await text(child.stderr)).not.toMatch(/EPIPE|Stop/)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('%s ends a command that waits, cleanly and with 130', async (signal) => {
    const server = createServer(() => child.kill(signal))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
    const child = start('doctor', '--server', `http://127.0.0.1:${address.port}`)
    const { exit, err } = await ended(child)
    server.closeAllConnections()
    server.close()
    expect(exit).toEqual([130, null])
    expect(err).toBe(
      signal === 'SIGINT'
        ? 'Stopping. Press Ctrl-C again to stop at once.\nStopped.\n'
        : 'Stopping (SIGTERM).\nStopped.\n',
    )
  })
})

describe('an interruption', () => {
  it('the first signal asks the command to stop, the second ends the process at once', () => {
    const codes: number[] = []
    const { signal, onSignal } = interruption((code) => codes.push(code))
    onSignal('SIGINT')
    expect([signal.aborted, codes]).toEqual([true, []])
    expect(signal.reason).toBeInstanceOf(DataferryError)
    expect(signal.reason).toMatchObject({ code: 'INTERRUPTED' })
    onSignal('SIGINT')
    expect(codes).toEqual([130])
  })

  it('a reader that went away never ends the process at once', () => {
    const codes: number[] = []
    const { signal, stop } = interruption((code) => codes.push(code))
    stop('gone')
    stop('gone')
    expect([signal.aborted, codes]).toEqual([true, []])
  })
})
