import { expect, it } from 'vitest'
import { EMPTY_PLAN } from '../../src/batch/folder.ts'
import { DataferryError } from '../../src/errors.ts'
import type { PlanState } from '../../src/model/batch.ts'
import type { Wait } from '../../src/model/notice.ts'
import { patientPlan, type PatientPlan } from '../../src/plan/patient-plan.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { never } from '../contracts/sink-bytes.ts'
import { catalogueOf, listed } from './catalogue.ts'
import { BATCH, itemsIn, planFrom, textIn } from './planning.ts'

const PIDS = ['doi:10.5072/FK2/A', 'doi:10.5072/FK2/B', 'doi:10.5072/FK2/C']
const WORLD = Object.fromEntries(PIDS.map((pid, i) => [pid, [{ version: '1.0', files: [listed(i + 1)] }]]))
const ENTRIES = PIDS.map((dataset) => ({ target: { kind: 'dataset' as const, dataset } }))
const away = (code: 'SINK_UNAVAILABLE' | 'SINK_FULL' = 'SINK_UNAVAILABLE'): DataferryError =>
  new DataferryError(code, '/data is gone.')

/** A sink whose writes fail for as long as `error` is there. */
function fragile(): { readonly sink: Sink; broken: { error: DataferryError | undefined; free: number } } {
  const sink = memorySink()
  const broken: { error: DataferryError | undefined; free: number } = { error: undefined, free: Infinity }
  const write = sink.records.write.bind(sink.records)
  const appendTo = sink.records.appendTo.bind(sink.records)
  const unlessBroken = <T>(work: () => Promise<T>): Promise<T> => (broken.error ? Promise.reject(broken.error) : work())
  sink.records.write = (...given) => unlessBroken(() => write(...given))
  sink.records.appendTo = (...given) => unlessBroken(() => appendTo(...given))
  sink.check = () => unlessBroken(() => Promise.resolve())
  sink.free = () => Promise.resolve(broken.free)
  return { sink, broken }
}

function planned(sink: Sink, more: Partial<PatientPlan> = {}): Promise<PlanState> {
  const plan = (from: PlanState): Promise<PlanState> =>
    planFrom(sink.records, ENTRIES, catalogueOf(WORLD), { from, checkpointItems: 1 })
  const onWait = (): void => undefined
  const request = {
    batch: BATCH,
    sink,
    from: EMPTY_PLAN,
    plan,
    giveUpAfterMs: 60_000,
    onWait,
    signal: never,
    lookMs: 1,
  }
  return patientPlan({ ...request, ...more })
}

it('planning waits for its destination, says so, and goes on behind what counts there, with the same plan', async () => {
  const whole = memorySink()
  await planned(whole)
  const { sink, broken } = fragile()
  const calls: string[] = []
  const waits: (Wait | undefined)[] = []
  const plan = (from: PlanState): Promise<PlanState> => {
    const catalogue = catalogueOf(WORLD)
    catalogue.fail = (call) => {
      calls.push(call)
      // It goes while the second dataset is listed.
      if (call === `files ${PIDS[1] ?? ''} 1.0` && waits.length === 0) broken.error = away()
      return undefined
    }
    return planFrom(sink.records, ENTRIES, catalogue, { from, checkpointItems: 1 })
  }
  const onWait = (wait: Wait | undefined): void => {
    waits.push(wait)
    if (waits.length === 4) broken.error = undefined
  }
  const state = await planned(sink, { plan, onWait })
  expect(state).toMatchObject({ complete: true, items: 3 })
  expect(await textIn(sink.records)).toBe(await textIn(whole.records))
  expect(await itemsIn(sink.records, 3)).toHaveLength(3)
  expect(waits).toHaveLength(5)
  expect(waits[0]).toMatchObject({ what: 'Planning', reason: '/data is gone.' })
  expect(waits.at(-1)).toBeUndefined()
  expect(calls.filter((call) => call.startsWith(`files ${PIDS[0] ?? ''}`))).toHaveLength(1)
})

it('a full destination is planned on when there is room again', async () => {
  const { sink, broken } = fragile()
  Object.assign(broken, { error: away('SINK_FULL'), free: 0 })
  const waits: (Wait | undefined)[] = []
  const onWait = (wait: Wait | undefined): void => {
    waits.push(wait)
    if (waits.length === 2) broken.error = undefined
    if (waits.length === 4) broken.free = 2 << 20
  }
  expect(await planned(sink, { onWait })).toMatchObject({ complete: true })
  expect(waits).toHaveLength(5)
})

it('planning ends with the error of its destination when that has been away for too long, and with its signal', async () => {
  const { sink, broken } = fragile()
  broken.error = away()
  await expect(planned(sink, { giveUpAfterMs: 0 })).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  const stop = new AbortController()
  const onWait = (): void => stop.abort(new Error('parked'))
  await expect(planned(sink, { onWait, signal: stop.signal, lookMs: 60_000, giveUpAfterMs: 1e9 })).rejects.toThrow(
    'parked',
  )
})
