import { expect, it } from 'vitest'
import { problemOf } from '../../workers/settle.ts'
import { batchOf, itemAt } from '../batch/fixtures.ts'

it.each(['.dataferry/mirrors/m/superseded/a', '.dataferry/repair/2026/aside/a', '../up'])(
  'a line of a plan that leads to %s is not fetched, though a repair may put a file there',
  (path) => {
    const opened = { batch: batchOf() }
    expect(problemOf({ ...itemAt(path), n: 0 }, opened)).toMatchObject({ code: 'RECORD_UNREADABLE' })
    expect(problemOf({ ...itemAt('a/b'), n: 0 }, opened)).toBeUndefined()
  },
)
