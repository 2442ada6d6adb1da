import { useState } from 'preact/hooks'
import { formatCount, formatRate, plural } from '../../model/format.ts'
import type { Outcome, ServerView } from '../api/schemas.ts'
import { send } from './api.ts'
import { useAnswer } from './live.ts'
import { Act, Ago, Loading, Name, Problem, useOutcome } from './parts.tsx'
import { useSession } from './session.ts'

export function Servers() {
  const { state, problem, again } = useAnswer<{ readonly servers: readonly ServerView[] }>('/api/servers', 2_000)
  return (
    <>
      <h1>Servers</h1>
      <Problem text={problem} />
      {state ? <ServerCards servers={state.servers} onChange={again} controls /> : problem === undefined && <Loading />}
      {state?.servers.length === 0 && <p class="empty">No batch names a server yet.</p>}
    </>
  )
}

interface CardsProps {
  readonly servers: readonly ServerView[]
  readonly controls?: boolean
  readonly onChange?: () => void
}

export function ServerCards({ servers, controls = false, onChange = () => undefined }: CardsProps) {
  return (
    <ul class="grid">
      {servers.map((server) => (
        <li key={server.server}>
          <ServerCard server={server} controls={controls} onChange={onChange} />
        </li>
      ))}
    </ul>
  )
}

function ServerCard({
  server,
  controls,
  onChange,
}: {
  readonly server: ServerView
  readonly controls: boolean
  readonly onChange: () => void
}) {
  const { hold, streams, limit, waiting, active, delayed, bandwidth } = server
  const isPaused = hold?.by === 'person'
  // On a page of their own they stand right below its title.
  const Title = controls ? 'h2' : 'h3'
  return (
    <section class="card server" aria-label={server.server}>
      <div class="card-head">
        <Title>
          <Name text={server.server.replace(/^https?:\/\//, '')} />
        </Title>
        <span class={`tag ${hold ? (isPaused ? 'paused' : 'waiting') : 'good'}`}>
          {hold ? (isPaused ? 'paused' : 'on hold') : 'open'}
        </span>
      </div>
      <Streams inUse={Math.min(streams.granted, limit)} limit={limit} />
      <p class="quiet">
        {streams.granted} of {plural(limit, 'stream')} in use
        {bandwidth === null ? '' : ` · at most ${formatRate(bandwidth)}`}
      </p>
      <p class="quiet">
        {formatCount(active)} active · {formatCount(waiting)} queued · {formatCount(delayed)} tried again later
      </p>
      {hold && (
        <p class="hold">
          <Name text={hold.reason} />
          <br />
          Since <Ago time={hold.since} />
          {hold.nextLook !== null && (
            <>
              , next look <Ago time={hold.nextLook} />
            </>
          )}
        </p>
      )}
      {controls && <Controls server={server} onChange={onChange} />}
    </section>
  )
}

function Streams({ inUse, limit }: { readonly inUse: number; readonly limit: number }) {
  return (
    <div class="streams" aria-hidden="true">
      {Array.from({ length: Math.min(64, limit) }, (_, i) => (
        <span key={i} class={i < inUse ? 'on' : ''} />
      ))}
    </div>
  )
}

function Controls({
  server: { server, hold, concurrency, bandwidth },
  onChange,
}: {
  readonly server: ServerView
  readonly onChange: () => void
}) {
  const { isOperator } = useSession()
  const [outcome, tell] = useOutcome()
  const [streams, setStreams] = useState(concurrency === null ? '' : String(concurrency))
  const [rate, setRate] = useState(bandwidth === null ? '' : String(bandwidth / 1024 ** 2))
  if (!isOperator) return null
  const set = async (request: object): Promise<string> => {
    const { text } = await send<Outcome>('POST', '/api/servers/limit', { server, ...request })
    onChange()
    return text
  }
  const limits = (): Promise<string> => {
    return set({
      concurrency: streams.trim() === '' ? null : Number(streams),
      bandwidth: rate.trim() === '' ? null : Math.round(Number(rate) * 1024 ** 2),
    })
  }
  return (
    <div class="controls">
      <label>
        Streams
        <input
          type="number"
          min="1"
          max="64"
          placeholder="usual"
          value={streams}
          onInput={(event) => setStreams(event.currentTarget.value)}
        />
      </label>
      <label>
        MiB per second
        <input
          type="number"
          min="0"
          step="any"
          placeholder="no limit"
          value={rate}
          onInput={(event) => setRate(event.currentTarget.value)}
        />
      </label>
      <div class="actions">
        <Act label="Set limits" run={limits} done={tell} />
        {hold?.by === 'person' ? (
          <Act label="Continue" run={() => set({ paused: false })} done={tell} />
        ) : (
          <Act label="Pause" run={() => set({ paused: true })} done={tell} />
        )}
      </div>
      {outcome}
    </div>
  )
}
