import type { Attention } from '../api/schemas.ts'
import { Ago, Name } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'

const WORDS: Readonly<Record<Attention['urgency'], string>> = {
  person: 'needs you',
  waiting: 'waiting',
  failures: 'failures',
}

/** What is wrong, the most urgent first; a quiet sentence where nothing is. Its words may change under the focus, which stays. */
export function AttentionList({ list }: { readonly list: readonly Attention[] }) {
  if (list.length === 0) {
    return (
      <p class="all-well">
        <span aria-hidden="true">✓</span> All is well: nothing waits for a person.
      </p>
    )
  }
  return (
    <section class="card attention" aria-label="What needs attention">
      <h2>Needs attention</h2>
      <ul>
        {list.map((one) => (
          <Row key={`${one.urgency} ${one.kind} ${one.subject}`} one={one} />
        ))}
      </ul>
    </section>
  )
}

function Row({ one }: { readonly one: Attention }) {
  const { urgency, kind, subject, text, advice, since, nextLook } = one
  return (
    <li class={urgency}>
      <span class={`tag ${urgency}`}>{WORDS[urgency]}</span>
      <div>
        <strong>
          {kind === 'batch' ? (
            <Link to={batchAddress(subject)}>
              <Name text={subject} />
            </Link>
          ) : (
            <Name text={subject} />
          )}
        </strong>{' '}
        <Name text={text} />
        <p class="quiet">
          {advice}
          {since !== null && (
            <>
              {' '}
              Since <Ago time={since} />
            </>
          )}
          {nextLook !== null && (
            <>
              , next look <Ago time={nextLook} />
            </>
          )}
        </p>
      </div>
    </li>
  )
}
