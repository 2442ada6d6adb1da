import { expect, it } from 'vitest'
import { Output } from '../../src/cli/terminal/output.ts'
import { tellOnce } from '../../src/cli/tell-notices.ts'
import { Recorder } from './recorder.ts'

it('what was on hold is told once, and once that it is back', () => {
  const stderr = new Recorder()
  const flags = { json: false, quiet: false, color: false, redraws: false }
  const said: string[] = []
  const tell = tellOnce(new Output({ stdout: new Recorder(), stderr, ...flags }), (text) => said.push(text))
  const since = new Date()
  const wait = { what: 'Redis at unix:/r', reason: 'it is away.', since, nextLook: since }
  for (const now of [[wait], [{ ...wait, reason: 'it starts.' }], [], []]) tell(now)
  expect(said).toEqual([
    expect.stringMatching(/^Redis at unix:\/r has been on hold since .*: it is away\.$/),
    'Redis at unix:/r is not on hold any more: work goes on.',
  ])
})
