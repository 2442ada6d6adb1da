import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const MIB = 1024 * 1024
const HEAP = new URL('../../src/cli/heap.ts', import.meta.url).href

/** Lets a process make much garbage, some of which lives for a while. @returns bytes of its young generation then */
async function youngGeneration(before: string): Promise<number> {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { keepYoungGenerationSmall } from '${HEAP}'
    ${before}
    let kept = []
    for (let i = 0; i < 2_000_000; i++) {
      kept.push({ i, list: [i] })
      if (kept.length > 100_000) kept = kept.slice(-50_000)
    }
    const { space_size: size } = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')
    console.log(size)
  `
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

it('the young generation stays small, whatever is allocated, where it would grow to many times that', async () => {
  expect(await youngGeneration('keepYoungGenerationSmall()')).toBeLessThanOrEqual(16 * MIB)
  expect(await youngGeneration('')).toBeGreaterThan(16 * MIB)
})
