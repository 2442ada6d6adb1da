import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const MIB = 1024 * 1024
const HEAP = new URL('../../src/cli/heap.ts', import.meta.url).href

/** Lets a process make much garbage, some of which lives for a while. @returns most bytes of its generations meanwhile */
async function garbage(before: string): Promise<{ young: number; old: number }> {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { keepHeapSmall } from '${HEAP}'
    ${before}
    const size = (name) => getHeapSpaceStatistics().find((space) => space.space_name === name).space_size
    let kept = []
    let young = 0, old = 0
    for (let i = 0; i < 4_000_000; i++) {
      kept.push({ i, list: [i] })
      if (kept.length > 100_000) kept = kept.slice(-50_000)
      if (i % 10_000 > 0) continue
      young = Math.max(young, size('new_space'))
      old = Math.max(old, size('old_space'))
    }
    console.log(young, old)
  `
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const [young = 0, old = 0] = stdout.split(' ').map(Number)
  return { young, old }
}

it('neither generation of the heap grows far beyond what is in use, where it would grow to a multiple of that', async () => {
  const small = await garbage('keepHeapSmall()')
  const left = await garbage('')
  expect(small.young).toBeLessThanOrEqual(16 * MIB)
  expect(left.young).toBeGreaterThan(16 * MIB)
  expect(small.old).toBeLessThan(left.old * 0.7)
})
