import { useEffect, useState } from 'preact/hooks'
import type { BatchList, BatchView } from '../api/schemas.ts'
import { get, messageOf } from './api.ts'
import { Loading, Problem } from './parts.tsx'
import { BatchRow } from './overview.tsx'

const STATES = ['any', 'open', 'waiting', 'paused', 'parked', 'cancelled', 'finished'] as const
type State = (typeof STATES)[number]

/** Every batch of this Redis, newest first. */
export function Batches() {
  const [state, setState] = useState<State>('any')
  const [before, setBefore] = useState<string | undefined>(undefined)
  const [batches, setBatches] = useState<readonly BatchView[] | undefined>(undefined)
  const [next, setNext] = useState<string | null>(null)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  useEffect(() => {
    const left = new AbortController()
    const query = new URLSearchParams({ state, ...(before !== undefined && { before }) })
    get<BatchList>(`/api/batches?${query.toString()}`, left.signal).then(
      (list) => {
        setBatches((known = []) => (before === undefined ? list.batches : [...known, ...list.batches]))
        setNext(list.next)
        setProblem(undefined)
      },
      (error: unknown) => {
        if (!left.signal.aborted) setProblem(messageOf(error))
      },
    )
    return () => left.abort()
  }, [state, before])
  return (
    <>
      <h1>Batches</h1>
      <Problem text={problem} />
      <label class="inline">
        State
        <select
          value={state}
          onChange={(event) => {
            const { value } = event.currentTarget
            setBefore(undefined)
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
        <button type="button" onClick={() => setBefore(next)}>
          More
        </button>
      )}
    </>
  )
}
