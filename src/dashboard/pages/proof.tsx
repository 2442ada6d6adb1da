import { formatBytes, formatCount, plural } from '../../model/format.ts'
import { shellWord } from '../../model/shell-word.ts'
import type { ProofView } from '../api/schemas.ts'
import { useAnswer } from './live.ts'
import { Ago, Card, Figure, Loading, Name, Problem } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'

type Verified = NonNullable<ProofView['verified']>
type Owner = Pick<Verified['openOf'][number], 'batch' | 'mirror'>

/** What was read again and compared, and what was wrong. */
export function Proof() {
  const { state, problem } = useAnswer<{ readonly destinations: readonly ProofView[] }>('/api/proof', 5_000)
  return (
    <>
      <h1>Proof</h1>
      <p class="quiet">
        What <code>dataferry verify</code> found when it last read the files and compared them with their records.
      </p>
      <Problem text={problem} />
      {!state && problem === undefined && <Loading />}
      {state?.destinations.length === 0 && <p class="empty">No destination is known here yet.</p>}
      {state?.destinations.toSorted(byUrgency).map((one) => (
        <Destination key={one.destination} proof={one} />
      ))}
    </>
  )
}

/** What is wrong first, what was never verified last. */
function byUrgency(a: ProofView, b: ProofView): number {
  const rank = ({ verified }: ProofView): number => (verified ? verified.open.missing + verified.open.changed : -1)
  return rank(b) - rank(a)
}

function tagOf({ problem, verified }: ProofView): readonly [tone: string, word: string] {
  if (problem !== null) return ['bad', 'away']
  if (!verified) return ['waiting', 'never verified']
  const { missing, changed } = verified.open
  return missing + changed === 0 ? ['good', 'as recorded'] : ['bad', `${formatCount(missing + changed)} wrong`]
}

function Destination({ proof }: { readonly proof: ProofView }) {
  const { destination, problem, verified } = proof
  const [tone, word] = tagOf(proof)
  return (
    <Card
      title={destination}
      shown={<Name text={destination} class="mono" />}
      aside={<span class={`tag ${tone}`}>{word}</span>}
    >
      {problem !== null && (
        <p class="hold">
          <Name text={problem} />
        </p>
      )}
      {verified && <Results verified={verified} />}
      {verified && <Wrong verified={verified} destination={destination} />}
      {!verified && problem === null && (
        <p class="quiet">
          To read all of it and compare: <code>{`dataferry verify ${shellWord(destination)}`}</code>, or a share each
          day: <code>{`dataferry verify ${shellWord(destination)} --rolling 30d`}</code>
        </p>
      )}
    </Card>
  )
}

function Results({ verified: { last, lastFull, oldest, readLately, sizeOnly } }: { readonly verified: Verified }) {
  return (
    <>
      <dl class="figures">
        <Figure name="Last verified" value={last ? <Ago time={last.endedAt} /> : 'never to the end'} />
        <Figure name="Last in full" value={lastFull === null ? 'never' : <Ago time={lastFull} />} />
        <Figure
          name="Read in 30 days"
          value={formatBytes(readLately.bytes)}
          unit={last ? `of ${formatBytes(last.held.bytes)}` : plural(readLately.files, 'file')}
        />
        <Figure
          name="Never read"
          value={last ? formatCount(last.neverRead.files) : '–'}
          unit="since they came"
          tone={last && last.neverRead.files > 0 ? 'bad' : ''}
        />
      </dl>
      <p class="quiet">
        {oldest && (
          <>
            Read longest ago: <Name text={oldest.path} class="mono" />, <Ago time={oldest.at} />.{' '}
          </>
        )}
        {last?.round && (
          <>
            In this round {plural(last.round.left.files, 'file')} ({formatBytes(last.round.left.bytes)}) are left; it
            ends <Ago time={last.round.ends} />.{' '}
          </>
        )}
        {sizeOnly > 0 &&
          `${plural(sizeOnly, 'file has', 'files have')} no checksum on record: only the size is compared.`}
      </p>
    </>
  )
}

function Wrong({ verified, destination }: { readonly verified: Verified; readonly destination: string }) {
  const { open, openOf, findings } = verified
  const all = open.missing + open.changed + open.extra + open.unfetched
  if (all === 0) return null
  return (
    <>
      <p class="hold">
        {plural(open.missing, 'file is', 'files are')} missing, {formatCount(open.changed)} changed;{' '}
        {formatCount(open.extra)} {open.extra === 1 ? 'is' : 'are'} there that no record knows.
        {open.unfetched > 0 && ` ${plural(open.unfetched, 'file was', 'files were')} never fetched.`}
      </p>
      {openOf.length > 0 && (
        <ul class="examples" aria-label={`What is wrong at ${destination}`}>
          {openOf.map(({ missing, changed, unfetched, ...owner }) => (
            <li key={`${owner.batch ?? ''} ${owner.mirror ?? ''}`}>
              <OwnerName owner={owner} />: {formatCount(missing)} missing, {formatCount(changed)} changed
              {unfetched > 0 && `, ${formatCount(unfetched)} never fetched`}
            </li>
          ))}
        </ul>
      )}
      {open.missing + open.changed > 0 && (
        <p>
          To write a manifest that fetches them again:{' '}
          <code>{`dataferry verify ${shellWord(destination)} --wanted again.csv`}</code>
        </p>
      )}
      <details>
        <summary>{findings.length < all ? `${findings.length} of them` : 'Which'}</summary>
        <ul class="examples">
          {findings.map(({ path, state, at }) => (
            <li key={path}>
              <Name text={path} class="mono" /> <span class="tag bad">{state}</span>{' '}
              <span class="quiet">
                <Ago time={at} />
              </span>
            </li>
          ))}
        </ul>
      </details>
    </>
  )
}

function OwnerName({ owner: { batch, mirror } }: { readonly owner: Owner }) {
  if (mirror !== null) return <Name text={`mirror ${mirror}`} />
  return batch === null ? (
    <>others</>
  ) : (
    <Link to={batchAddress(batch)}>
      <Name text={batch} />
    </Link>
  )
}
