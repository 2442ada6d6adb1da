import { useState } from 'preact/hooks'
import { formatCount, formatRate, plural } from '../../model/format.ts'
import type { ServerView } from '../api/schemas.ts'
import { post } from './api.ts'
import { useAnswer } from './live.ts'
import { Act, Ago, Card, Loading, Name, Problem, useOutcome } from './parts.tsx'
import { useSession } from './session.ts'

export function useServers() {
  return useAnswer<{ readonly servers: readonly ServerView[] }>('/api/servers', 1_000)
}

export function Servers() {
  const { state, problem, again } = useServers()
  return (
    <>
      <h1>Servers</h1>
      <Problem text={problem} />
      {state ? (
        <ServerCards servers={state.servers} onChange={again} controls level="h2" />
      ) : (
        problem === undefined && <Loading />
      )}
      {state?.servers.length === 0 && <p class="empty">No batch names a server yet.</p>}
    </>
  )
}

interface CardsProps {
  readonly servers: readonly ServerView[]
  /** Of their headings: right below the title of a page, or below that of a section. */
  readonly level?: 'h2' | 'h3'
  readonly controls?: boolean
  readonly onChange?: () => void
}

export function ServerCards({ servers, ...how }: CardsProps) {
  return (
    <ul class="grid">
      {servers.map((server) => (
        <li key={server.server}>
          <ServerCard server={server} {...how} />
        </li>
      ))}
    </ul>
  )
}

function ServerCard({
  server,
  level = 'h3',
  controls = false,
  onChange = () => undefined,
}: Omit<CardsProps, 'servers'> & { readonly server: ServerView }) {
  const { hold, streams, limit, waiting, active, delayed, bandwidth } = server
  const isPaused = hold?.by === 'person'
  const tag = hold ? (isPaused ? ['paused', 'paused'] : ['waiting', 'on hold']) : ['good', 'open']
  return (
    <Card
      title={server.server}
      shown={<Name text={server.server.replace(/^https?:\/\//, '')} />}
      level={level}
      class="server"
      aside={<span class={`tag ${tag[0] ?? ''}`}>{tag[1]}</span>}
    >
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
    </Card>
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
  const isPaused = hold?.by === 'person'
  const set = async (request: object): Promise<string> => {
    const text = await post('/api/servers/limit', { server, ...request })
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
        <Act label={isPaused ? 'Continue' : 'Pause'} run={() => set({ paused: !isPaused })} done={tell} />
      </div>
      {outcome}
    </div>
  )
}
