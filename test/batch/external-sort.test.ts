import { readdir, readlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { ExternalSort } from '../../src/batch/external-sort.ts'
import { rounds } from '../rounds.ts'
import { all } from './fixtures.ts'

/** So small that nearly every value makes a run. */
const TINY = 20

it('groups any values by any keys, each group in the order of adding, however many runs they make', async () => {
  const entries = fc.array(fc.tuple(fc.string({ unit: 'binary', maxLength: 4 }), fc.nat()), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(entries, fc.constantFrom(TINY, 200, 1 << 20), async (values, memory) => {
      await using sort = new ExternalSort(z.number(), memory)
      for (const [key, value] of values) await sort.add(key, value)
      const expected = new Map<string, number[]>()
      for (const [key, value] of values) expected.set(key, [...(expected.get(key) ?? []), value])
      const groups = await all(sort.groups())
      expect(new Map(groups.map((group) => [group.key, group.values]))).toEqual(expected)
      expect(groups).toHaveLength(expected.size)
    }),
    rounds(100),
  )
})

it('leaves nothing in the folder for temporary files, not even while it works', async () => {
  const before = await readdir(tmpdir())
  {
    await using sort = new ExternalSort(z.string(), TINY)
    for (let n = 0; n < 50; n++) await sort.add(`key ${n % 7}`, 'a value')
    expect((await readdir(tmpdir())).filter((name) => !before.includes(name) && name.startsWith('dataferry-'))).toEqual(
      [],
    )
    expect((await all(sort.groups())).map(({ values }) => values.length)).toEqual([8, 7, 7, 7, 7, 7, 7])
  }
  const open = await readdir('/proc/self/fd').catch(() => [])
  const targets = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  expect(targets.filter((target) => target.includes('dataferry-'))).toEqual([])
})

it('says which folder it cannot use, and how to choose another one', async () => {
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = '/nonexistent/place'
  try {
    await using sort = new ExternalSort(z.string(), TINY)
    const adding = sort.add('a key', 'a value that is long enough')
    await expect(adding).rejects.toThrow('/nonexistent/place')
    await expect(adding).rejects.toMatchObject({ code: 'TEMP_UNUSABLE' })
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
})
