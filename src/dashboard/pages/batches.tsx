import { useState } from 'preact/hooks'
import type { BatchList } from '../api/schemas.ts'
import { get, messageOf } from './api.ts'
import { useAnswer } from './live.ts'
import { Loading, Problem } from './parts.tsx'
import { BatchRow } from './overview.tsx'

const STATES = ['any', 'open', 'waiting', 'paused', 'parked', 'cancelled', 'finished'] as const
type State = (typeof STATES)[number]

/** Every batch of this Redis, newest first. The first page is that of now, however many more are shown below it. */
export function Batches() {
  const [state, setState] = useState<State>('any')
  const { state: first, problem } = useAnswer<BatchList>(`/api/batches?state=${state}`, 1_000)
  const [more, setMore] = useState<BatchList | undefined>(undefined)
  const [failed, setFailed] = useState<string | undefined>(undefined)
  const next = more ? more.next : (first?.next ?? null)
  const known = new Set(first?.batches.map(({ id }) => id))
  const batches = first && [...first.batches, ...(more?.batches.filter(({ id }) => !known.has(id)) ?? [])]
  const showMore = (before: string): void => {
    get<BatchList>(`/api/batches?${new URLSearchParams({ state, before }).toString()}`).then(
      (page) => {
        setMore((shown) => ({ batches: [...(shown?.batches ?? []), ...page.batches], next: page.next }))
        setFailed(undefined)
      },
      (error: unknown) => setFailed(messageOf(error)),
    )
  }
  return (
    <>
      <h1>Batches</h1>
      <Problem text={problem ?? failed} />
      <label class="inline">
        State
        <select
          value={state}
          onChange={(event) => {
            const { value } = event.currentTarget
            setMore(undefined)
            setState(STATES.find((one) => one === value) ?? 'any')
          }}
        >
          {STATES.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      {!batches && problem === undefined && <Loading />}
      {batches?.length === 0 && <p class="empty">There is no such batch.</p>}
      {batches && batches.length > 0 && (
        <section class="card" aria-label="Batches">
          <ul class="batches">
            {batches.map((batch) => (
              <BatchRow key={batch.id} batch={batch} />
            ))}
          </ul>
        </section>
      )}
      {next !== null && (
        <button type="button" onClick={() => showMore(next)}>
          More
        </button>
      )}
    </>
  )
}
