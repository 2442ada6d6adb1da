import { useEffect, useState } from 'preact/hooks'
import { formatBytes, formatCount } from '../../model/format.ts'
import type { ItemView } from '../api/schemas.ts'
import { lines, messageOf } from './api.ts'
import { Name, Problem } from './parts.tsx'
import { batchAddress, Link } from './router.tsx'

const STATES = ['any', 'open', 'active', 'there', 'failed', 'waiting'] as const
type State = (typeof STATES)[number]
const WORDS: Readonly<Record<State, string>> = {
  any: 'any',
  open: 'to come',
  active: 'in progress',
  there: 'there',
  failed: 'failed',
  waiting: 'waiting for access',
}
/** After the last key. */
const PAUSE_MS = 250

interface Found {
  readonly items: readonly ItemView[]
  readonly scanned: readonly [n: number, of: number] | undefined
  /** Where to go on; null: that was all; undefined: it is still being looked for. */
  readonly next: number | null | undefined
  readonly problem: string | undefined
}

const NOTHING: Found = { items: [], scanned: undefined, next: undefined, problem: undefined }

/** The files of a batch: found by a part of their path, as they are found. */
export function Items({ id }: { readonly id: string }) {
  const [text, setText] = useState('')
  const [state, setState] = useState<State>('any')
  const [from, setFrom] = useState(0)
  const [found, setFound] = useState<Found>(NOTHING)
  useEffect(() => {
    const left = new AbortController()
    const query = new URLSearchParams({ q: text, state, from: String(from) })
    const timer = setTimeout(() => {
      search(`/api${batchAddress(id)}/items?${query.toString()}`, left.signal, (change) => setFound(change)).catch(
        (error: unknown) => {
          if (!left.signal.aborted) setFound((before) => ({ ...before, next: null, problem: messageOf(error) }))
        },
      )
    }, PAUSE_MS)
    return () => {
      clearTimeout(timer)
      left.abort()
    }
  }, [id, text, state, from])
  const anew = (change: () => void): void => {
    change()
    setFrom(0)
    setFound(NOTHING)
  }
  const { items, scanned, next, problem } = found
  return (
    <>
      <h1>Files</h1>
      <p class="quiet">
        of{' '}
        <Link to={batchAddress(id)}>
          <Name text={id} />
        </Link>
      </p>
      <div class="search" role="search">
        <label class="grow">
          Part of the path
          <input
            type="search"
            value={text}
            spellcheck={false}
            onInput={(event) => {
              const { value } = event.currentTarget
              anew(() => setText(value))
            }}
          />
        </label>
        <label>
          State
          <select
            value={state}
            onChange={(event) => {
              const { value } = event.currentTarget
              anew(() => setState(STATES.find((one) => one === value) ?? 'any'))
            }}
          >
            {STATES.map((one) => (
              <option key={one} value={one}>
                {WORDS[one]}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Problem text={problem} />
      <p class="quiet" role="status">
        {next === undefined
          ? `Searching …${scanned ? ` ${formatCount(scanned[0])} of ${formatCount(scanned[1])}` : ''}`
          : `${formatCount(items.length)} ${items.length === 1 ? 'file' : 'files'}${next === null ? '' : ', and perhaps more'}`}
      </p>
      {items.length > 0 && <Table items={items} />}
      {typeof next === 'number' && (
        <button
          type="button"
          onClick={() => {
            setFound((before) => ({ ...before, next: undefined }))
            setFrom(next)
          }}
        >
          More
        </button>
      )}
    </>
  )
}

async function search(
  address: string,
  signal: AbortSignal,
  show: (change: (before: Found) => Found) => void,
): Promise<void> {
  let [hits, due] = [[] as ItemView[], 0]
  const flush = (): void => {
    const some = hits
    hits = []
    due = performance.now() + 100
    if (some.length > 0) show((before) => ({ ...before, items: [...before.items, ...some] }))
  }
  for await (const line of lines(address, signal)) {
    if ('item' in line) hits.push(line.item)
    if ('scanned' in line) show((before) => ({ ...before, scanned: [line.scanned, line.of] }))
    if ('error' in line) show((before) => ({ ...before, next: null, problem: line.error.message }))
    if (performance.now() > due) flush()
    if ('next' in line) {
      flush()
      show((before) => ({ ...before, next: line.next }))
    }
  }
  flush()
}

function Table({ items }: { readonly items: readonly ItemView[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Files found">
      <table>
        <thead>
          <tr>
            <th scope="col">Path</th>
            <th scope="col">State</th>
            <th scope="col" class="right">
              Size
            </th>
            <th scope="col">Dataset</th>
          </tr>
        </thead>
        <tbody>
          {items.map(({ n, path, state, size, dataset, code, message }) => (
            <tr key={n}>
              <td>
                <Name text={path} class="mono" />
                {message !== null && (
                  <p class="quiet">
                    <Name text={message} />
                  </p>
                )}
              </td>
              <td>
                <span class={`tag ${state === 'there' ? 'good' : state === 'failed' ? 'bad' : state}`}>
                  {code ?? WORDS[state]}
                </span>
              </td>
              <td class="right">{size === null ? '–' : formatBytes(size)}</td>
              <td>{dataset === null ? '' : <Name text={dataset} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
