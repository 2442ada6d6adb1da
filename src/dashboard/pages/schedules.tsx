import type { ScheduleView } from '../api/schemas.ts'
import { post } from './api.ts'
import { useAnswer } from './live.ts'
import { Act, Ago, Card, Loading, Name, Problem, useOutcome } from './parts.tsx'
import { Link } from './router.tsx'
import { useSession } from './session.ts'

interface Answer {
  readonly schedules: readonly ScheduleView[]
}

/** What is run at which times, and how it went. */
export function Schedules() {
  const { state, problem, again } = useAnswer<Answer>('/api/schedules', 2_000)
  return (
    <>
      <h1>Schedules</h1>
      <Problem text={problem} />
      {!state && problem === undefined && <Loading />}
      {state?.schedules.length === 0 && (
        <p class="empty">
          There is no schedule in this state folder. To add one: <code>dataferry schedule add</code>
        </p>
      )}
      {state?.schedules.map((schedule) => (
        <Schedule key={schedule.name} schedule={schedule} onChange={again} />
      ))}
    </>
  )
}

/** The next starts, for the overview. */
export function NextSchedules() {
  const { state } = useAnswer<Answer>('/api/schedules', 15_000)
  const next = (state?.schedules ?? [])
    .flatMap(({ name, next: [first] }) => (first === undefined ? [] : [{ name, first }]))
    .sort((a, b) => a.first.localeCompare(b.first))
    .slice(0, 5)
  if (next.length === 0) return null
  return (
    <Card title="Next schedules" aside={<Link to="/schedules">All schedules</Link>}>
      <ul class="destinations">
        {next.map(({ name, first }) => (
          <li key={name}>
            <Name text={name} />
            <Ago time={first} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function tagOf({ paused, runs: [last] }: ScheduleView): readonly [tone: string, word: string] {
  if (paused) return ['paused', 'paused']
  if (!last) return ['waiting', 'not run yet']
  if (last.running) return ['open', 'running']
  if (last.parked !== null) return ['parked', 'parked']
  return last.code === 0 ? ['good', 'went well'] : ['bad', last.code === null ? 'broke off' : `ended with ${last.code}`]
}

function Schedule({ schedule, onChange }: { readonly schedule: ScheduleView; readonly onChange: () => void }) {
  const { name, command, cron, tz, between, paused, next, runs, lastSkipped } = schedule
  const { isOperator } = useSession()
  const [outcome, tell] = useOutcome()
  const [tone, word] = tagOf(schedule)
  const act = (what: string) => async (): Promise<string> => {
    const text = await post(`/api/schedules/${encodeURIComponent(name)}/${what}`)
    onChange()
    return text
  }
  return (
    <Card title={name} shown={<Name text={name} />} aside={<span class={`tag ${tone}`}>{word}</span>}>
      <p>
        <Name text={command} class="mono" />
      </p>
      <p class="quiet">
        <code>{cron}</code> in {tz}
        {between !== null && `, only ${between}`}
        {next.length > 0 && (
          <>
            {' · next '}
            {next.map((time, i) => (
              <span key={time}>
                {i > 0 && ', then '}
                <Ago time={time} />
              </span>
            ))}
          </>
        )}
      </p>
      {runs.length > 0 && (
        <ul class="examples" aria-label={`Runs of ${name}`}>
          {runs.map(({ startedAt, endedAt, running, code, parked, report, said }) => (
            <li key={startedAt}>
              Started <Ago time={startedAt} />
              {running ? ', running' : endedAt === null ? ', broke off' : `, ended with ${code ?? 'a signal'}`}
              {parked !== null && <Name text={`: ${parked}`} />}
              {report !== null && (
                <p class="quiet">
                  Report: <Name text={report} class="mono" />
                </p>
              )}
              {code !== null && code !== 0 && said !== null && (
                <p class="quiet">
                  {said.split('\n').map((line, i) => (
                    <span key={i}>
                      {i > 0 && <br />}
                      <Name text={line} />
                    </span>
                  ))}
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {lastSkipped !== null && (
        <p class="quiet">
          Skipped <Ago time={lastSkipped.due} />: <Name text={lastSkipped.reason} />
        </p>
      )}
      {isOperator && (
        <div class="actions">
          <Act label="Run now" run={act('run')} done={tell} disabled={runs[0]?.running === true} />
          <Act label={paused ? 'Continue' : 'Pause'} run={act(paused ? 'continue' : 'pause')} done={tell} />
        </div>
      )}
      {outcome}
    </Card>
  )
}
