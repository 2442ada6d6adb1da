import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { createLogger } from '../../src/log.ts'
import { supervise } from '../../workers/supervisor.ts'

/** Has children end with these codes, one after the other, and then stops. @returns what was told */
async function superviseEnds(codes: readonly number[]): Promise<readonly string[]> {
  const stop = new AbortController()
  const told: string[] = []
  let started = 0
  await supervise({
    count: 1,
    spawn: () => {
      const code = codes[started++]
      if (code === undefined) stop.abort()
      return spawn(process.execPath, ['-e', `process.exit(${code ?? 0})`])
    },
    recover: () => Promise.resolve(),
    signal: stop.signal,
    graceMs: 1_000,
    onRefused: () => told.push('refused'),
    onRestart: (how) => told.push(how),
    log: createLogger('silent'),
  })
  return told
}

test('a child that refuses its settings is not started again', async () => {
  expect(await superviseEnds([2])).toEqual(['refused'])
})

test('one that refuses what an earlier one took is started again, and this is told', async () => {
  expect(await superviseEnds([3, 2])).toEqual(['exit code 3', 'exit code 2'])
})
