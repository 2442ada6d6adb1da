import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../../model/format.ts'
import type { BatchDetail, BatchLive, BatchLogView, BatchView, FailureGroup } from '../api/schemas.ts'
import { post } from './api.ts'
import { useAnswer, useLive } from './live.ts'
import { Act, Ago, Card, Figure, Loading, Name, Problem, ShareBar, StateBar, StateTag, useOutcome } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'
import { ServerCards, useServers } from './servers.tsx'
import { useSession } from './session.ts'
import { LiveFiles } from './workers.tsx'

type Tell = ReturnType<typeof useOutcome>[1]

/** One batch: how far it is, what goes on, what failed and what to do about it. */
export function Batch({ id }: { readonly id: string }) {
  const address = `/api${batchAddress(id)}`
  const { state: live, problem } = useLive<BatchLive>(`?batch=${encodeURIComponent(id)}`, address)
  const about = useAnswer<BatchDetail>(address, 10_000)
  const [outcome, tell] = useOutcome()
  const now = live ?? about.state
  if (!now) {
    const text = problem ?? about.problem
    return text === undefined ? <Loading /> : <Problem text={text} />
  }
  const { batch, live: files, failures, failuresCounted } = now
  return (
    <>
      <div class="title">
        <h1>
          <Name text={batch.id} />
        </h1>
        <StateTag batch={batch} />
      </div>
      <p class="quiet">
        {batch.reason !== null && (
          <>
            <Name text={batch.reason} /> ·{' '}
          </>
        )}
        begun <Ago time={batch.createdAt} /> · {whose(batch)}
        <Link to={batchAddress(batch.id, '/items')}>Search its files</Link>
      </p>
      <Problem text={problem} />
      {batch.command !== null && (
        <p class="hold">
          It waits for its command: run that again, or <code>{batch.command}</code>. To leave it to the workers:{' '}
          <code>{batch.command} --enqueue</code>
        </p>
      )}
      <Control batch={batch} tell={tell} />
      {outcome}
      <Card title="Progress" aside={<span class="percent">{Math.floor(batch.fraction * 100)} %</span>}>
        <ShareBar batch={batch} />
        <Figures batch={batch} />
      </Card>
      <Card title="Files" aside={<span class="quiet">{plural(batch.planned, 'file')}</span>}>
        <StateBar batch={batch} />
      </Card>
      {failures.length > 0 && <Failures batch={batch} groups={failures} counted={failuresCounted} tell={tell} />}
      {files.length > 0 && (
        <Card title="On their way" aside={<span class="quiet">{plural(files.length, 'file')}</span>}>
          <LiveFiles files={files.filter(({ waits }) => !waits)} />
        </Card>
      )}
      <ServersOf batch={batch} />
      {about.state && <Record about={about.state} batch={batch} />}
      <Log address={`${address}/log`} />
    </>
  )
}

function whose({ state, owner, command }: BatchView): string {
  if (state === 'finished' || state === 'cancelled') return ''
  return `${owner ?? (command === null ? 'left to the workers' : 'waits for its command')} · `
}

function Figures({ batch }: { readonly batch: BatchView }) {
  const { bytes, plannedBytes, keptBytes, bytesPerSecond, filesPerSecond, secondsLeft, planComplete } = batch
  const whole = Math.max(bytes, plannedBytes - keptBytes)
  return (
    <dl class="figures">
      <Figure name="Fetched" value={formatBytes(bytes)} unit={whole > 0 ? `of ${formatBytes(whole)}` : ''} />
      <Figure name="Rate" value={bytesPerSecond === null ? '–' : formatRate(bytesPerSecond)} />
      <Figure name="Files" value={filesPerSecond === null ? '–' : filesPerSecond.toFixed(1)} unit="per second" />
      <Figure
        name="Left"
        value={secondsLeft === null ? '–' : formatDuration(secondsLeft * 1_000)}
        unit={planComplete ? '' : 'still planning'}
      />
    </dl>
  )
}

function Control({ batch, tell }: { readonly batch: BatchView; readonly tell: Tell }) {
  const { isOperator } = useSession()
  if (!isOperator) return null
  const act = (word: string) => () => post(`/api${batchAddress(batch.id)}/${word}`)
  const { state, failed } = batch
  const isHeld = state === 'paused' || state === 'cancelled'
  return (
    <div class="actions" role="group" aria-label="This batch">
      {state !== 'finished' && state !== 'parked' && (
        // One button with two meanings, which keeps the focus when it is pressed.
        <Act
          label={isHeld ? 'Continue' : 'Pause'}
          tone={isHeld ? 'primary' : ''}
          run={act(isHeld ? 'continue' : 'pause')}
          done={tell}
        />
      )}
      {state !== 'finished' && state !== 'cancelled' && (
        <Act
          label="Cancel"
          tone="danger"
          run={act('cancel')}
          done={tell}
          ask="Stop fetching this batch? Files that are already there stay."
        />
      )}
      {failed > 0 && <Act label="Retry all failures" run={act('retry')} done={tell} />}
    </div>
  )
}

/** Its servers with their limits, which concern every batch that has files of them. */
function ServersOf({ batch: { servers } }: { readonly batch: BatchView }) {
  const { state, again } = useServers()
  const its = state?.servers.filter(({ server }) => servers.includes(server)) ?? []
  if (its.length === 0) return null
  return (
    <section aria-label="Servers">
      <h2 class="section">Servers</h2>
      <ServerCards servers={its} onChange={again} controls level="h3" />
    </section>
  )
}

function Failures({
  batch,
  groups,
  counted,
  tell,
}: {
  readonly batch: BatchView
  readonly groups: readonly FailureGroup[]
  readonly counted: number
  readonly tell: Tell
}) {
  const { isOperator } = useSession()
  const address = `/api${batchAddress(batch.id)}`
  const table = (
    <a href={`${address}/failures.csv`} download>
      Download failures.csv
    </a>
  )
  return (
    <Card title="Failures" aside={table} class="failures">
      {counted < batch.failed && (
        <p class="quiet">
          Of {plural(batch.failed, 'failure')}, {formatCount(counted)} were looked at so far.
        </p>
      )}
      {groups.map(({ code, count, meaning, advice, examples }) => (
        <article key={code}>
          <div class="card-head">
            <h3>
              <code>{code}</code> <span class="quiet">{plural(count, 'file')}</span>
            </h3>
            {isOperator && (
              <Act
                label={`Retry ${count === 1 ? 'it' : 'these'}`}
                done={tell}
                run={() => post(`${address}/retry`, { codes: [code] })}
              />
            )}
          </div>
          <p>{meaning}</p>
          <p class="advice">{advice}</p>
          <details>
            <summary>{examples.length < count ? `${examples.length} of them` : 'Which'}</summary>
            <ul class="examples">
              {examples.map(({ n, path, message }) => (
                <li key={n}>
                  <Name text={path} class="mono" />
                  <p class="quiet">
                    <Name text={message} />
                  </p>
                </li>
              ))}
            </ul>
          </details>
        </article>
      ))}
    </Card>
  )
}

/** Totals that are told where they are not 0. */
const TOTALS: Readonly<Record<string, string>> = {
  unknownSize: 'of unknown size',
  noChecksum: 'without a published checksum',
  restricted: 'restricted',
  embargoed: 'embargoed',
  retentionExpired: 'with expired retention',
  problems: 'could not be planned',
  duplicates: 'asked for twice',
  renamed: 'renamed to be safe',
  filtered: 'left out by filters',
}

function Record({
  about: { record, recordProblem },
  batch,
}: {
  readonly about: BatchDetail
  readonly batch: BatchView
}) {
  return (
    <Card title="On record">
      {recordProblem !== null && (
        <p class="hold">
          <Name text={recordProblem} />
        </p>
      )}
      <dl class="pairs">
        <dt>Destination</dt>
        <dd>
          <Name text={batch.destination} class="mono" />
        </dd>
        <dt>Servers</dt>
        <dd>
          <Name text={batch.servers.join(', ')} />
        </dd>
        {record && (
          <>
            <dt>Manifest</dt>
            <dd>
              <Name text={record.manifest} /> ({plural(record.entries, 'entry', 'entries')})
            </dd>
            <dt>Form</dt>
            <dd>{record.format}</dd>
            {Object.entries(TOTALS)
              .filter(([key]) => (record.totals[key] ?? 0) > 0)
              .map(([key, words]) => (
                <>
                  <dt key={key}>{formatCount(record.totals[key] ?? 0)}</dt>
                  <dd>{words}</dd>
                </>
              ))}
            <dt>Report</dt>
            <dd>{record.report ? <Report report={record.report} /> : 'written when it has ended'}</dd>
          </>
        )}
      </dl>
    </Card>
  )
}

/** What the processes that work on it said last, on whichever machine. */
function Log({ address }: { readonly address: string }) {
  const { state, problem } = useAnswer<BatchLogView>(address, 2_000)
  return (
    <Card title="Log">
      <Problem text={problem} />
      {state?.lines.length === 0 && <p class="quiet">No worker has said anything about it in the last days.</p>}
      {state && state.lines.length > 0 && (
        <ol class="log" tabIndex={0} aria-label="Last lines of the log, the newest first">
          {state.lines.toReversed().map(({ at, host, pid, level, text }, i) => (
            <li key={`${i} ${at}`} class={level}>
              <time dateTime={at}>{new Date(at).toLocaleTimeString()}</time>{' '}
              <span class="quiet">
                <Name text={`${host} (${pid})`} />
              </span>{' '}
              <Name text={text} />
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}

function Report({ report }: { readonly report: Readonly<Record<string, unknown>> }) {
  const { complete, finishedAt, missing, done, kept, failed } = report
  return (
    <>
      {complete === true ? 'complete' : 'not complete'}, finished{' '}
      {typeof finishedAt === 'string' && <Ago time={finishedAt} />}: {String(done)} fetched, {String(kept)} already
      there, {String(failed)} failed, {String(missing)} missing
    </>
  )
}
