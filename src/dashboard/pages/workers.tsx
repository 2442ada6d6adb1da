import { formatBytes, plural } from '../../model/format.ts'
import type { LiveFile, WorkerView } from '../api/schemas.ts'
import { useAnswer } from './live.ts'
import { Ago, Card, Loading, Name, Problem } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'

export function Workers() {
  const { state, problem } = useAnswer<{ readonly workers: readonly WorkerView[] }>('/api/workers', 1_000)
  return (
    <>
      <h1>Workers</h1>
      <Problem text={problem} />
      {!state && problem === undefined && <Loading />}
      {state?.workers.length === 0 && (
        <p class="empty">
          No worker is running. To start one: <code>dataferry work</code>
        </p>
      )}
      {state?.workers.map((worker) => (
        <Worker key={worker.id} worker={worker} />
      ))}
    </>
  )
}

function Worker({
  worker: { host, pid, since, silentSeconds, alive, holds, destinations },
}: {
  readonly worker: WorkerView
}) {
  const isSilent = alive === 'dead' || silentSeconds >= 30
  const waiting = holds.filter(({ waits }) => waits).length
  return (
    <Card
      title={`process ${pid} on ${host}`}
      shown={
        <>
          <Name text={host} /> <span class="quiet">process {pid}</span>
        </>
      }
      aside={
        <span class={`tag ${isSilent ? 'bad' : 'good'}`}>
          {alive === 'dead' ? 'ended' : isSilent ? 'silent' : holds.length === 0 ? 'idle' : 'working'}
        </span>
      }
    >
      <p class="quiet">
        Started <Ago time={since} />, heard {silentSeconds} s ago
        {waiting > 0 && `, ${plural(waiting, 'file')} waiting for a stream`}
      </p>
      {destinations.map(({ destination, reason }) => (
        <p key={destination} class="hold">
          <Name text={destination} />: <Name text={reason} />
        </p>
      ))}
      <LiveFiles files={holds.filter(({ waits }) => !waits)} withBatch />
    </Card>
  )
}

/** Files that are on their way. */
export function LiveFiles({
  files,
  withBatch = false,
}: {
  readonly files: readonly LiveFile[]
  readonly withBatch?: boolean
}) {
  if (files.length === 0) return null
  return (
    <ul class="live-files">
      {files.map(({ batch, n, path, bytes, size }) => (
        <li key={`${batch} ${n}`}>
          <Name text={path} class="path" />
          <span class="quiet">
            {withBatch && (
              <Link to={batchAddress(batch)}>
                <Name text={batch} />
              </Link>
            )}{' '}
            {formatBytes(bytes)}
            {size !== null && ` of ${formatBytes(size)}`}
          </span>
          <div class="bar thin" aria-hidden="true">
            <span
              class="part active"
              style={{ width: `${size === null || size === 0 ? 0 : Math.min(100, (bytes / size) * 100)}%` }}
            />
          </div>
        </li>
      ))}
    </ul>
  )
}
