import { expect, it } from 'vitest'
import { hasRun, neverRun } from '../../src/mirror/check-records.ts'
import { names } from '../../src/mirror/order.ts'
import { NO_PROGRESS, writePending, type PendingRun } from '../../src/mirror/pending.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { all } from '../batch/fixtures.ts'

const RUN: PendingRun = {
  v: 1,
  run: 'r',
  startedAt: '2026-11-01T00:00:00.000Z',
  sweep: 'full',
  full: false,
  parts: [],
  phase: 'sweep',
  progress: NO_PROGRESS,
  lost: [],
  unlinked: [],
  unstored: [],
  arranged: { moved: 0, superseded: 0 },
  unknown: [],
  inTheWay: [],
  linked: 0,
  copied: 0,
  requests: {},
}

it.each([
  ['a preview that was stopped is no run', { ...RUN, preview: true }, false],
  ['a run that was stopped has begun', RUN, true],
] as const)('%s', async (_, pending, hasBegun) => {
  const { records } = memorySink()
  await records.write(names.order('m'), '{}')
  await writePending(records, 'm', pending)
  expect(await all(neverRun(records))).toEqual([{ mirror: 'm', hasBegun }])
  // One whose state is lost.
  await records.write(names.run('m', 'earlier', 'run.json'), '{}')
  expect(await hasRun(records, 'm')).toBe(!hasBegun)
})
