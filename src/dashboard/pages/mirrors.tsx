import { formatCount } from '../../model/format.ts'
import type { MirrorView } from '../api/schemas.ts'
import { post } from './api.ts'
import { useAnswer } from './live.ts'
import { Act, Ago, Card, Loading, Name, Problem, useOutcome } from './parts.tsx'
import { useSession } from './session.ts'

/** Standing orders, and how their last runs ended. */
export function Mirrors() {
  const { state, problem, again } = useAnswer<{ readonly mirrors: readonly MirrorView[] }>('/api/mirrors', 5_000)
  return (
    <>
      <h1>Mirrors</h1>
      <Problem text={problem} />
      {!state && problem === undefined && <Loading />}
      {state?.mirrors.length === 0 && (
        <p class="empty">
          The destinations that are known here have no mirror. To keep one: <code>dataferry mirror create</code>
        </p>
      )}
      {state?.mirrors.map((mirror) => (
        <Mirror key={`${mirror.destination} ${mirror.name}`} mirror={mirror} onChange={again} />
      ))}
    </>
  )
}

function tagOf({ problem, running, lastRun }: MirrorView): readonly [tone: string, word: string] {
  if (problem !== null) return ['bad', 'unreadable']
  if (running) return ['open', 'running']
  if (!lastRun) return ['waiting', 'never run']
  return lastRun.complete ? ['good', 'up to date'] : ['bad', 'not complete']
}

function Mirror({ mirror, onChange }: { readonly mirror: MirrorView; readonly onChange: () => void }) {
  const { name, destination, server, scope, lastRun, lastSuccess, running, problem } = mirror
  const { session, isOperator } = useSession()
  const [outcome, tell] = useOutcome()
  const isAllowed = isOperator && (session?.destinations.includes(destination) ?? false)
  const run = async (): Promise<string> => {
    const text = await post('/api/mirrors/run', { name, destination })
    onChange()
    return text
  }
  const [tone, word] = tagOf(mirror)
  return (
    <Card title={name} shown={<Name text={name} />} aside={<span class={`tag ${tone}`}>{word}</span>}>
      <p class="quiet">
        <Name text={scope} /> on <Name text={server} /> → <Name text={destination} class="mono" />
      </p>
      {problem !== null && (
        <p class="hold">
          <Name text={problem} />
        </p>
      )}
      {lastRun && (
        <p>
          Last run <Ago time={lastRun.finishedAt} />
          {Object.entries(lastRun.changes).map(([what, count]) => ` · ${formatCount(count)} ${what}`)}
        </p>
      )}
      <p class="quiet">
        {lastSuccess === null ? (
          'No run was complete yet.'
        ) : (
          <>
            Last complete <Ago time={lastSuccess} />
          </>
        )}
      </p>
      {isAllowed && (
        <div class="actions">
          <Act label="Run now" run={run} done={tell} disabled={running} />
        </div>
      )}
      {outcome}
    </Card>
  )
}
