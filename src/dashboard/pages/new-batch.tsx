import { useEffect, useRef, useState } from 'preact/hooks'
import { formatBytes, formatCount, plural } from '../../model/format.ts'
import type { NewBatch as Request, PlanView } from '../api/schemas.ts'
import { messageOf, post, send } from './api.ts'
import { Card, Figure, Name, Problem } from './parts.tsx'
import { batchAddress, go } from './router.tsx'
import { useSession } from './session.ts'

const KEEP_MS = 30_000

/** Begins a batch: what to fetch, what that would be, and then the start. */
export function NewBatch() {
  const { session, isOperator } = useSession()
  const [plan, setPlan] = useState<PlanView | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [busy, setBusy] = useState<'plan' | 'start' | undefined>(undefined)
  const form = useRef<HTMLFormElement>(null)
  const left = useRef<AbortController | undefined>(undefined)
  useShown(plan?.batch)
  useEffect(() => () => left.current?.abort(), [])
  const destinations = session?.destinations ?? []
  const ask = (step: 'plan' | 'start'): void => {
    if (!form.current) return
    const request = requestOf(new FormData(form.current))
    const stop = new AbortController()
    // Only planning ends when it is left.
    left.current = step === 'plan' ? stop : undefined
    setBusy(step)
    setProblem(undefined)
    send<PlanView>('POST', step === 'plan' ? '/api/plans' : '/api/batches', request, { signal: stop.signal })
      .then(
        (made) => (step === 'plan' ? setPlan(made) : go(batchAddress(made.batch))),
        (error: unknown) => setProblem(stop.signal.aborted ? 'Stopped.' : messageOf(error)),
      )
      .finally(() => setBusy(undefined))
  }
  if (!isOperator) return <Refusal text="You may look, but not begin a batch: that takes an operator." />
  if (destinations.length === 0) {
    return (
      <Refusal text="No destination was allowed here. Start the dashboard with --to for each place that batches may go to; on the command line: dataferry enqueue." />
    )
  }
  return (
    <>
      <h1>New batch</h1>
      <form
        ref={form}
        class="card form"
        onSubmit={(event) => {
          event.preventDefault()
          ask('plan')
        }}
        onInput={() => setPlan(undefined)}
      >
        <label>
          What to fetch
          <textarea
            name="manifest"
            rows={8}
            required
            spellcheck={false}
            aria-describedby="manifest-help"
            placeholder="doi:10.5072/FK2/ABCDEF"
          />
        </label>
        <p id="manifest-help" class="quiet">
          A DOI, ids of files, addresses of a Dataverse, or a whole manifest: one a line, or a table with its header.
        </p>
        <div class="row">
          <label class="grow">
            Where to
            <select name="destination">
              {destinations.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </label>
          <label>
            Form of tables
            <select name="format">
              <option value="original">original</option>
              <option value="archival">archival</option>
            </select>
          </label>
        </div>
        <div class="actions">
          <button type="submit" class={plan ? '' : 'primary'} disabled={busy !== undefined}>
            {busy === 'plan' ? 'Planning …' : 'Show the plan'}
          </button>
          {busy === 'plan' && (
            <button type="button" onClick={() => left.current?.abort()}>
              Stop
            </button>
          )}
        </div>
      </form>
      <Problem text={problem} />
      {plan && <Plan plan={plan} isBusy={busy === 'start'} onStart={() => ask('start')} />}
    </>
  )
}

/** Says now and then that the page shows a plan, and when it does so no more: then the plan is removed, unless it was started. */
function useShown(batch: string | undefined): void {
  useEffect(() => {
    if (batch === undefined) return undefined
    const path = `/api/plans/${encodeURIComponent(batch)}`
    const keep = setInterval(() => void post(`${path}/keep`).catch(() => undefined), KEEP_MS)
    const drop = (): void => void send('DELETE', path, {}, { keepalive: true }).catch(() => undefined)
    addEventListener('pagehide', drop)
    return () => {
      clearInterval(keep)
      removeEventListener('pagehide', drop)
      drop()
    }
  }, [batch])
}

function Refusal({ text }: { readonly text: string }) {
  return (
    <>
      <h1>New batch</h1>
      <p class="empty">{text}</p>
    </>
  )
}

function requestOf(data: FormData): Request {
  const text = (name: string): string => {
    const value = data.get(name)
    return typeof value === 'string' ? value : ''
  }
  return {
    manifest: text('manifest'),
    destination: text('destination'),
    format: text('format') === 'archival' ? 'archival' : 'original',
  }
}

const SHOWN_GUESTBOOKS = 20

function Plan({
  plan,
  isBusy,
  onStart,
}: {
  readonly plan: PlanView
  readonly isBusy: boolean
  readonly onStart: () => void
}) {
  const { items, bytes, unknownSize, withheld, guestbooks, problems, problemCount, free } = plan
  const lacks = free !== null && free < bytes
  return (
    <Card title="The plan">
      <dl class="figures">
        <Figure name="Files" value={formatCount(items)} />
        <Figure
          name="Size"
          value={formatBytes(bytes)}
          unit={unknownSize > 0 ? `and ${plural(unknownSize, 'file')} of unknown size` : ''}
        />
        <Figure name="Withheld" value={formatCount(withheld)} unit="restricted or embargoed" />
        <Figure name="Free" value={free === null ? 'unlimited' : formatBytes(free)} tone={lacks ? 'bad' : ''} />
      </dl>
      {lacks && <p class="hold">The files need {formatBytes(bytes - free)} more than is free.</p>}
      {guestbooks.length > 0 && (
        <>
          <p class="hold">
            Files behind a guestbook fail until it is answered: write the answers to a file, and start{' '}
            <code>serve</code> or <code>work</code> with <code>--guestbook FILE</code>. The questions are printed by:
          </p>
          <ul class="examples">
            {guestbooks.slice(0, SHOWN_GUESTBOOKS).map(({ dataset, name }) => (
              <li key={dataset}>
                <code>dataferry guestbook show {dataset}</code> (<Name text={name} />)
              </li>
            ))}
          </ul>
        </>
      )}
      {problemCount > 0 && (
        <>
          <p class="hold">{plural(problemCount, 'entry', 'entries')} cannot be planned:</p>
          <ul class="examples">
            {problems.map(({ line, code, message }) => (
              <li key={`${line ?? 0} ${message}`}>
                {line !== null && `line ${line}: `}
                <code>{code}</code> <Name text={message} />
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="actions">
        <button type="button" class="primary" disabled={isBusy || items === 0} onClick={onStart}>
          {isBusy ? 'Starting …' : `Fetch ${plural(items, 'file')}`}
        </button>
      </div>
    </Card>
  )
}
