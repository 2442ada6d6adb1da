import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { file } from './file.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
const B = 'doi:10.5072/FK2/B'
const ELSE = 'doi:10.5072/FK2/ELSE'

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  home.repository.deposit(A, [file('a.txt', 'alpha')], { collection: 'climate' })
  home.repository.deposit(B, [file('c.txt', 'gamma')], { collection: 'ice' })
  home.repository.deposit(ELSE, [file('e.txt', 'else')], { collection: 'other' })
})
afterEach(() => home.close())

async function create(...scope: readonly string[]): Promise<void> {
  expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
}

describe('a search that does not answer', () => {
  /** The index is in trouble for so many searches. */
  function troubled(searches: number): void {
    home.server.set({ searchFails: 'overloaded' })
    const when = ({ url }: { readonly url: string }): boolean => {
      if (url.startsWith('/api/search') && searches-- <= 0) home.server.set({ searchFails: undefined })
      return false
    }
    home.server.fault({ when, steps: [{ kind: 'fine' }], repeat: true })
  }

  it('for a moment is waited for, and nothing seems to have gone', async () => {
    await create('--collection', 'climate')
    await home.run()
    troubled(1)
    const { code, report } = await home.run()
    expect([code, report.sweep, report.states]).toEqual([0, 'quick', { current: 2 }])
  })

  it('is named in the report, and everything is looked at by the database', async () => {
    await create('--collection', 'climate')
    await home.run()
    home.repository.deposit('doi:10.5072/FK2/NEW', [file('n', 'new')], { collection: 'ice' })
    home.repository.destroy(B)
    home.server.set({ searchFails: 'overloaded' })
    const { code, stdout, stderr } = await home.cli('mirror', 'run', 'm', '--to', home.destination)
    expect([code, stderr]).toEqual([0, expect.stringContaining('search did not answer')])
    expect(stdout).toContain('1 dataset new')
    const { report } = await home.run()
    expect([report.sweep, report['why'], report.states]).toEqual([
      'full',
      expect.stringContaining('search did not answer'),
      { current: 2, gone: 1 },
    ])
  })

  it.each([
    ['a search', ['--query', '*']],
    ['an OAI set', ['--oai-set', 's']],
  ])('ends the run of a mirror of %s, and changes nothing', async (_, scope) => {
    home.server.set({ oaiSets: { s: '*' } })
    await create(...scope)
    await home.run()
    home.server.set({ searchFails: 'overloaded' })
    const { code, stderr } = await home.cli('mirror', 'run', 'm', '--to', home.destination)
    expect([code, stderr]).toEqual([3, expect.stringContaining('Only a search can tell')])
    home.server.set({ searchFails: undefined })
    expect((await home.run()).report).toMatchObject({ states: { current: 3 }, datasets: { unchanged: 3 } })
  })
})
