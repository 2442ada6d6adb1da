import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const MIB = 1024 * 1024
const HEAP = new URL('../../src/cli/heap.ts', import.meta.url).href

/** Runs a script in a process of its own. @returns the number that it prints */
async function run(script: string): Promise<number> {
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return Number(stdout)
}

/** Lets a process make much garbage, some of which lives for a while. @returns bytes of its young generation then */
async function youngGeneration(before: string): Promise<number> {
  return await run(`
    import { getHeapSpaceStatistics } from 'node:v8'
    import { keepHeapSmall } from '${HEAP}'
    ${before}
    let kept = []
    for (let i = 0; i < 2_000_000; i++) {
      kept.push({ i, list: [i] })
      if (kept.length > 100_000) kept = kept.slice(-50_000)
    }
    console.log(getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size)
    process.exit()
  `)
}

it('the young generation stays small, whatever is allocated, where it would grow to many times that', async () => {
  expect(await youngGeneration('keepHeapSmall()')).toBeLessThanOrEqual(16 * MIB)
  expect(await youngGeneration('')).toBeGreaterThan(16 * MIB)
})

it('garbage that has grown old is collected soon, though nothing is allocated any more', async () => {
  const made = await run(`
    import { getHeapStatistics } from 'node:v8'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { keepHeapSmall } from '${HEAP}'
    keepHeapSmall()
    const used = () => getHeapStatistics().used_heap_size
    const before = used()
    let old = Array.from({ length: 500_000 }, (_, i) => ({ i, list: [i] }))
    const made = used() - before
    old = undefined
    while (used() > before + made / 4) await sleep(50)
    console.log(made)
  `)
  expect(made).toBeGreaterThan(40 * MIB)
})
