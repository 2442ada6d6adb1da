import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrange, type Arrangement, type Wanted } from '../../src/mirror/arrange.ts'
import { isHeld, isShown, type HeldFile } from '../../src/mirror/state.ts'

const NOW = '2026-11-27T03:00:00.000Z'
let asides = 0
const OPTIONS = { aside: () => `.dataferry/aside/${asides++}`, isDue: () => true, now: NOW, also: [] }

function wanted(id: number, path: string, more: Partial<Wanted['file']> = {}): Wanted {
  const file = { id, label: path, directory: '', size: id, tabular: false, ...more }
  return { path, file, version: '2.0', expect: { size: id } }
}

function held(file: number, path: string, state: HeldFile['state'] = 'current'): HeldFile {
  return { file, path, state, version: '1.0', size: file }
}

describe('the arrangement of a dataset', () => {
  it('fetches what is not held, and nothing else', () => {
    const { fetch, moves, links, files } = arrange([held(1, 'a')], [wanted(1, 'a'), wanted(2, 'b')], OPTIONS)
    expect(fetch.map(({ path }) => path)).toEqual(['b'])
    expect([moves, links]).toEqual([[], []])
    expect(files).toEqual([
      { ...held(1, 'a'), version: '2.0' },
      { file: 2, path: 'b', state: 'missing', version: '2.0', size: 2, item: 0 },
    ])
  })

  it('moves a file that was renamed, also where two files changed names', () => {
    const { fetch, moves } = arrange([held(1, 'a'), held(2, 'b')], [wanted(1, 'b'), wanted(2, 'a')], OPTIONS)
    expect(fetch).toEqual([])
    expect(moves).toEqual([
      { from: 'a', to: 'b' },
      { from: 'b', to: 'a' },
    ])
  })

  it('keeps aside what was replaced and what was removed, and tells them apart', () => {
    const { moves, files } = arrange([held(1, 'a'), held(2, 'b')], [wanted(3, 'a')], OPTIONS)
    expect(moves).toHaveLength(2)
    expect(files.filter((file) => !isShown(file) && isHeld(file)).map(({ file, state }) => [file, state])).toEqual([
      [1, 'superseded'],
      [2, 'removed'],
    ])
  })

  it('knows a replaced file by what the server says, though its name changed', () => {
    const { files } = arrange([held(1, 'a')], [wanted(3, 'z', { replaces: 1 })], OPTIONS)
    expect(files.find(({ file }) => file === 1)?.state).toBe('superseded')
  })

  it('takes a file that returns from where it was kept aside', () => {
    const aside = held(1, '.dataferry/aside/x', 'removed')
    const { fetch, moves } = arrange([aside], [wanted(1, 'a')], OPTIONS)
    expect(fetch).toEqual([])
    expect(moves).toEqual([{ from: '.dataferry/aside/x', to: 'a' }])
  })

  it('gives a file that is in two versions a further path', () => {
    const { fetch, links } = arrange([], [wanted(1, 'v2/a'), wanted(1, 'v1/a')], OPTIONS)
    expect(fetch).toHaveLength(1)
    expect(links).toEqual([{ from: 'v2/a', to: 'v1/a', item: 0 }])
  })

  it('renames, removes and names again on record alone what is content of an object', () => {
    const stored = (file: number, path: string): HeldFile => ({ ...held(file, path), content: `object/${file}` })
    const before = [stored(1, 'v1/a'), stored(2, 'v1/b'), stored(3, 'v1/c')]
    const after = [wanted(1, 'v1/z'), wanted(2, 'v1/b'), wanted(2, 'v2/b')]
    const { fetch, moves, links, files } = arrange(before, after, OPTIONS)
    expect([fetch, moves, links]).toEqual([[], [], []])
    expect(files.map(({ path, state, content }) => [path, state, content])).toEqual([
      ['v1/b', 'current', 'object/2'],
      ['v1/z', 'current', 'object/1'],
      ['v2/b', 'current', 'object/2'],
      [expect.stringContaining('aside'), 'removed', 'object/3'],
    ])
  })

  it('fetches a file anew whose bytes are others under the same id', () => {
    const { fetch, moves } = arrange([held(1, 'a')], [{ ...wanted(1, 'a'), expect: { size: 7 } }], OPTIONS)
    expect(fetch).toHaveLength(1)
    expect(moves).toHaveLength(1)
  })

  it('leads every held state to every wanted one: all is there, nothing is lost, nothing held is fetched', () => {
    const someHeld = fc.uniqueArray(
      fc.record({
        file: fc.integer({ min: 1, max: 6 }),
        path: fc.constantFrom('a', 'b', 'c', 'd', 'x1', 'x2', 'x3'),
      }),
      { selector: ({ path }) => path },
    )
    const someWanted = fc.uniqueArray(
      fc.record({ file: fc.integer({ min: 1, max: 6 }), path: fc.constantFrom('a', 'b', 'c', 'd') }),
      { selector: ({ path }) => path },
    )
    fc.assert(
      fc.property(someHeld, someWanted, (before, after) => {
        const files = before.map(({ file, path }) => held(file, path, path.startsWith('x') ? 'removed' : 'current'))
        const want = after.map(({ file, path }) => wanted(file, path))
        const disk = carriedOut(new Map(before.map(({ file, path }) => [path, file])), arrange(files, want, OPTIONS))
        for (const { file, path } of after) expect(disk.get(path)).toBe(file)
        const there = new Set(disk.values())
        for (const { file } of before) expect(there).toContain(file)
        const shown = [...disk.keys()].filter((path) => /^[a-d]$/.test(path))
        expect(shown.sort()).toEqual(after.map(({ path }) => path).sort())
        const known = new Set(before.map(({ file }) => file))
        const { fetch, files: result } = arrange(files, want, OPTIONS)
        for (const { file } of fetch) expect(known).not.toContain(file.id)
        expect(new Set(result.map(({ path }) => path)).size).toBe(result.length)
      }),
    )
  })
})

/** A destination on which an arrangement was carried out, as a run does it. */
function carriedOut(disk: ReadonlyMap<string, number>, { moves, links, fetch }: Arrangement): Map<string, number> {
  const now = new Map(disk)
  const moving = moves.map(({ from, to }) => {
    const file = now.get(from)
    now.delete(from)
    return { to, file }
  })
  for (const { to, file } of moving) if (file !== undefined) now.set(to, file)
  for (const { path, file } of fetch) now.set(path, file.id)
  for (const { from, to } of links) {
    const file = now.get(from)
    if (file !== undefined) now.set(to, file)
  }
  return now
}
