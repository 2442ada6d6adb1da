import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runInProcess } from './in-process.ts'

describe('serve refuses what its dashboard could not be opened with, before anything is started', () => {
  let folder: string
  const taken = createServer()
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'df-serve-'))
    await once(taken.listen(0, '127.0.0.1'), 'listening')
  })
  afterAll(() => {
    taken.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const port = (): string => {
    const address = taken.address()
    return typeof address === 'object' && address ? String(address.port) : ''
  }

  it.each([
    ['a port that is none', () => ['--port', '99999'], /--port must be a whole number from 0 to 65535/],
    ['a port that is taken', () => ['--port', port()], /^[^\n]*Port \d+ of 127\.0\.0\.1 is taken/],
    ['any interface without a token', () => ['--host', '0.0.0.0'], /Without a token everybody who reaches 0\.0\.0\.0/],
    ['an origin with a path', () => ['--origin', 'https://a.example/x'], /--origin must be an address/],
  ])('%s', async (_, words, message) => {
    const state = join(folder, 'state')
    const { code, stderr } = await runInProcess(['serve', ...words()], {
      cwd: folder,
      env: { DATAFERRY_STATE_DIR: state, HOME: folder },
    })
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
    expect(existsSync(state)).toBe(false)
  })
})
