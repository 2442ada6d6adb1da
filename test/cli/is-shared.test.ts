import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { isShared } from '../../src/cli/is-shared.ts'
import { load, type GivenFlags } from '../../src/config/config.ts'
import { runInProcess } from './in-process.ts'

const shared = (flags: GivenFlags, env: Record<string, string> = {}): boolean =>
  isShared(load({ flags, env, cwd: '/', home: '/' }))
const share = { flag: '--share', value: 'yes' }
const limitRate = { flag: '--bwlimit', value: '1M' }

it('a command with a rate of its own fetches by itself, since workers do not keep to it', () => {
  expect(shared({})).toBe(false)
  expect(shared({ share })).toBe(true)
  expect(shared({}, { DATAFERRY_SHARE: 'yes' })).toBe(true)
  expect(shared({ limitRate }, { DATAFERRY_SHARE: 'yes' })).toBe(false)
})

it('a rate from the environment is that of the workers, too', () => {
  expect(shared({ share }, { DATAFERRY_BWLIMIT: '1M' })).toBe(true)
})

it('a rate for a batch that is left to all workers is refused, and what to do instead is said', () => {
  expect(() => shared({ share, limitRate })).toThrow('--bwlimit does not go with --share')
})

it.each([
  ['run', '1'],
  ['mirror', 'run', 'm'],
])('%s %s refuses that before it looks at anything', async (...words) => {
  const place = ['--server', 'http://127.0.0.1:9', '--to', 'data']
  const { code, stderr } = await runInProcess([...words, ...place, '--share', '--bwlimit', '1M'], { cwd: tmpdir() })
  expect([code, stderr]).toEqual([2, expect.stringContaining('--bwlimit does not go with --share')])
})
