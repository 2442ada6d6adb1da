import { describe, expect, it } from 'vitest'
import { GroupCommit } from '../../src/async/group-commit.ts'

/** Writes that end when they are told to. */
function controlled(most?: number) {
  const groups: (readonly number[])[] = []
  const ends: Ends[] = []
  const commit = new GroupCommit<number>((group) => {
    groups.push(group)
    return new Promise<void>((resolve, reject) => ends.push({ resolve, reject }))
  }, most)
  /** Ends the write under way and waits until the next one has begun, if there is one. */
  const end = async (error?: Error): Promise<void> => {
    const under = ends.shift()
    if (error) under?.reject(error)
    else under?.resolve()
    await new Promise(setImmediate)
  }
  return { groups, commit, end }
}

interface Ends {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const nextTurn = (): Promise<void> => new Promise(setImmediate)

describe('group commit', () => {
  it('writes what is added in one turn together, and what is added during a write in the next one', async () => {
    const { groups, commit, end } = controlled()
    const first = [commit.add(1), commit.add(2)]
    await nextTurn()
    const second = [commit.add(3), commit.add(4), commit.add(5)]
    await nextTurn()
    expect(groups).toEqual([[1, 2]])
    await end()
    await Promise.all(first)
    expect(groups).toEqual([
      [1, 2],
      [3, 4, 5],
    ])
    await end()
    await Promise.all(second)
  })

  it('puts no more than the most into one write, and keeps the order', async () => {
    const { groups, commit, end } = controlled(2)
    const added = [1, 2, 3, 4, 5].map((n) => commit.add(n))
    await nextTurn()
    for (let round = 0; round < 3; round++) await end()
    await Promise.all(added)
    expect(groups).toEqual([[1, 2], [3, 4], [5]])
  })

  it('rejects the entries of a write that failed, and no others', async () => {
    const { commit, end } = controlled(1)
    const [bad, good] = [commit.add(1), commit.add(2)]
    const refused = expect(bad).rejects.toThrow('no space')
    await nextTurn()
    await end(new Error('no space'))
    await refused
    await end()
    await good
  })

  it('is idle when all is written, also when a write failed', async () => {
    const { groups, commit, end } = controlled()
    await commit.idle()
    const bad = expect(commit.add(1)).rejects.toThrow('no space')
    let idle = false
    const waiting = commit.idle().then(() => (idle = true))
    await nextTurn()
    expect(idle).toBe(false)
    const good = commit.add(2)
    await end(new Error('no space'))
    await bad
    expect(idle).toBe(false)
    await end()
    await Promise.all([good, waiting])
    expect(groups).toEqual([[1], [2]])
    const later = commit.add(3)
    await nextTurn()
    await end()
    await later
  })
})
