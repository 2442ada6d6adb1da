import { formatBytes, formatCount, formatDuration, plural } from '../../model/format.ts'
import type { BatchView, DestinationView, Overview as OverviewState } from '../api/schemas.ts'
import { AttentionList } from './attention-list.tsx'
import { Charts } from './chart.tsx'
import { useLive } from './live.ts'
import { Card, Figure, Loading, Name, Problem, ShareBar, StateTag } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'
import { NextSchedules } from './schedules.tsx'
import { ServerCards } from './servers.tsx'

/** What is wrong, what goes on, how fast, and where it goes. */
export function Overview() {
  const { state, problem } = useLive<OverviewState>('', '/api/overview')
  if (!state) return problem === undefined ? <Loading /> : <Problem text={problem} />
  const { workers, batches, unfinished, finished, servers, destinations } = state
  return (
    <>
      <h1>Overview</h1>
      <Problem text={problem} />
      <dl class="figures">
        <Figure name="Data" value={formatBytes(state.bytesPerSecond)} unit="per second" />
        <Figure name="Files" value={rate(state.filesPerSecond)} unit="per second" />
        <Figure name="Batches" value={formatCount(unfinished)} unit={`open, ${formatCount(finished)} ended`} />
        <Figure
          name="Workers"
          value={formatCount(workers.alive)}
          unit={workers.wanted > workers.alive ? `of ${workers.wanted} useful` : plural(workers.items, 'file')}
        />
      </dl>
      <AttentionList list={state.attention} />
      <Card title="Batches" aside={<Link to="/batches">All batches</Link>}>
        {batches.length === 0 && (
          <p class="empty">
            No batch is open. <Link to="/new">Begin one</Link>
          </p>
        )}
        <ul class="batches">
          {batches.map((batch) => (
            <BatchRow key={batch.id} batch={batch} />
          ))}
        </ul>
        {unfinished > batches.length && <p class="quiet">… and {formatCount(unfinished - batches.length)} more.</p>}
      </Card>
      <Charts />
      {servers.length > 0 && (
        <section aria-label="Servers">
          <h2 class="section">Servers</h2>
          <ServerCards servers={servers} />
        </section>
      )}
      <NextSchedules />
      {destinations.length > 0 && (
        <Card title="Destinations">
          <ul class="destinations">
            {destinations.map((one) => (
              <Destination key={one.destination} one={one} />
            ))}
          </ul>
        </Card>
      )}
    </>
  )
}

function rate(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : formatCount(value)
}

export function BatchRow({ batch }: { readonly batch: BatchView }) {
  const { id, destination, planned, planComplete, done, kept, failed, bytes, plannedBytes, keptBytes } = batch
  const whole = Math.max(bytes, plannedBytes - keptBytes)
  const facts = [
    `${formatCount(done + kept + failed)} of ${formatCount(planned)}${planComplete ? '' : '+'} files`,
    whole > 0 ? `${formatBytes(bytes)} of ${formatBytes(whole)}` : undefined,
    batch.bytesPerSecond !== null && batch.bytesPerSecond > 0 ? `${formatBytes(batch.bytesPerSecond)}/s` : undefined,
    batch.secondsLeft === null ? undefined : `${formatDuration(batch.secondsLeft * 1_000)} left`,
  ]
  return (
    <li class="batch-row">
      <div class="batch-head">
        <Link to={batchAddress(id)} class="batch-name">
          <Name text={id} />
        </Link>
        <StateTag batch={batch} />
        <span class="percent">{Math.floor(batch.fraction * 100)} %</span>
      </div>
      <ShareBar batch={batch} />
      <p class="quiet facts">
        {facts.filter((fact) => fact !== undefined).join(' · ')}
        {failed > 0 && <span class="bad-text"> · {formatCount(failed)} failed</span>}
        <span class="to">
          {' '}
          → <Name text={destination} />
        </span>
      </p>
    </li>
  )
}

function Destination({ one: { destination, free, problem } }: { readonly one: DestinationView }) {
  return (
    <li>
      <Name text={destination} class="mono" />
      {problem === null ? (
        <span>{free === null ? 'unlimited' : `${formatBytes(free)} free`}</span>
      ) : (
        <span class="bad-text">
          <Name text={problem} />
        </span>
      )}
    </li>
  )
}
