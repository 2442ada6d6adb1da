import type { ComponentChildren, RefObject } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { formatCount } from '../../model/format.ts'
import { visibleText } from '../../model/visible-text.ts'
import type { BatchView } from '../api/schemas.ts'
import { messageOf } from './api.ts'

/** A name or message of somebody else's: text, with characters that would act made visible. */
export function Name({ text, class: name }: { readonly text: string; readonly class?: string }) {
  return (
    <bdi class={name} title={visibleText(text)}>
      {visibleText(text)}
    </bdi>
  )
}

/** A part of a page. @param shown the title as it is shown, where it is more than its words */
export function Card({
  title,
  shown = title,
  level: Heading = 'h2',
  aside,
  class: name = '',
  children,
}: {
  readonly title: string
  readonly shown?: ComponentChildren
  readonly level?: 'h2' | 'h3'
  readonly aside?: ComponentChildren
  readonly class?: string
  readonly children: ComponentChildren
}) {
  return (
    <section class={`card ${name}`} aria-label={title}>
      <div class="card-head">
        <Heading>{shown}</Heading>
        {aside}
      </div>
      {children}
    </section>
  )
}

/** A figure with its name. */
export function Figure({
  name,
  value,
  unit,
  tone = '',
}: {
  readonly name: string
  readonly value: ComponentChildren
  readonly unit?: string
  readonly tone?: string
}) {
  return (
    <div class={`figure ${tone}`}>
      <dt>{name}</dt>
      <dd>
        {value}
        {unit !== undefined && <small> {unit}</small>}
      </dd>
    </div>
  )
}

const PARTS = [
  { key: 'done', name: 'fetched' },
  { key: 'kept', name: 'already there' },
  { key: 'active', name: 'in progress' },
  { key: 'failed', name: 'failed' },
  { key: 'waiting', name: 'waiting for access' },
] as const

/** How much of a batch is done: the share that is told beside it. */
export function ShareBar({ batch: { fraction } }: { readonly batch: BatchView }) {
  return (
    <div class="bar" role="img" aria-label={`${Math.floor(fraction * 100)} % done.`}>
      <span class="part done" style={{ width: `${fraction * 100}%` }} />
    </div>
  )
}

/** The files of a batch by their state. */
export function StateBar({ batch }: { readonly batch: BatchView }) {
  const { planned, planComplete } = batch
  const parts = PARTS.map(({ key, name }) => ({ key, name, count: batch[key] }))
  const rest = Math.max(0, planned - parts.reduce((sum, { count }) => sum + count, 0))
  const all = [...parts, { key: 'rest', name: 'to come', count: rest }]
  const words = all.filter(({ count }) => count > 0).map(({ name, count }) => `${formatCount(count)} ${name}`)
  const whole = `${formatCount(planned)}${planComplete ? '' : ' so far'}`
  return (
    <>
      <div
        class="bar"
        role="img"
        aria-label={`Of ${whole} files: ${words.length === 0 ? 'none yet' : words.join(', ')}.`}
      >
        {parts.map(({ key, count }) => (
          <span key={key} class={`part ${key}`} style={{ width: `${planned === 0 ? 0 : (count / planned) * 100}%` }} />
        ))}
      </div>
      <ul class="legend">
        {all.map(({ key, name, count }) => (
          <li key={key}>
            <span class={`swatch ${key}`} aria-hidden="true" />
            <strong>{formatCount(count)}</strong> {name}
          </li>
        ))}
      </ul>
    </>
  )
}

const STATE_WORDS: Readonly<Record<BatchView['state'], string>> = {
  open: 'running',
  waiting: 'waiting for access',
  paused: 'paused',
  parked: 'parked',
  cancelled: 'cancelled',
  finished: 'finished',
}

export function StateTag({ batch }: { readonly batch: BatchView }) {
  const { state, failed, active, open, planComplete } = batch
  const isWhole = state === 'finished' && failed === 0
  const isIdle = state === 'open' && active === 0 && (open > 0 || !planComplete)
  const tone = isWhole ? 'good' : state === 'finished' ? 'bad' : isIdle ? 'waiting' : state
  const word = isWhole ? 'complete' : isIdle ? 'queued' : STATE_WORDS[state]
  return <span class={`tag ${tone}`}>{word}</span>
}

/** A button that does something on the server, and says what came of it. While it does, it keeps the focus. */
export function Act({
  label,
  run,
  tone = '',
  ask,
  disabled = false,
  done,
}: {
  readonly label: string
  readonly run: () => Promise<string>
  readonly tone?: string
  /** A question before it is done. */
  readonly ask?: string
  readonly disabled?: boolean
  readonly done: (text: string, isBad: boolean) => void
}) {
  const [isBusy, setBusy] = useState(false)
  const question = useRef<HTMLDialogElement>(null)
  const start = (): void => {
    setBusy(true)
    run()
      .then(
        (text) => done(text, false),
        (error: unknown) => done(messageOf(error), true),
      )
      .finally(() => setBusy(false))
  }
  const press = (): void => {
    if (isBusy) return
    if (ask === undefined) start()
    else question.current?.showModal()
  }
  return (
    <>
      <button type="button" class={tone} disabled={disabled} aria-disabled={isBusy} onClick={press}>
        {isBusy ? `${label} …` : label}
      </button>
      {ask !== undefined && <Question dialog={question} text={ask} yes={label} onYes={start} />}
    </>
  )
}

/** Closing it gives the focus back to where it was. */
function Question({
  dialog,
  text,
  yes,
  onYes,
}: {
  readonly dialog: RefObject<HTMLDialogElement | null>
  readonly text: string
  readonly yes: string
  readonly onYes: () => void
}) {
  const close = (): void => dialog.current?.close()
  return (
    <dialog ref={dialog} aria-label={yes}>
      <p>{text}</p>
      <div class="actions">
        <button type="button" onClick={close}>
          Leave it
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            close()
            onYes()
          }}
        >
          {yes}
        </button>
      </div>
    </dialog>
  )
}

/** What came of an action; read aloud. */
export function useOutcome(): readonly [view: ComponentChildren, tell: (text: string, isBad: boolean) => void] {
  const [outcome, setOutcome] = useState<{ readonly text: string; readonly isBad: boolean } | undefined>(undefined)
  const view = (
    <div role="status" class={outcome ? `outcome ${outcome.isBad ? 'bad' : 'good'}` : 'outcome-none'}>
      {outcome && visibleText(outcome.text)}
    </div>
  )
  return [view, (text, isBad) => setOutcome({ text, isBad })]
}

export function Problem({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <div role="alert" class="outcome bad">
      {visibleText(text)}
    </div>
  )
}

export function Loading() {
  return <p class="quiet loading">Loading …</p>
}

/** A time: how long ago, with the time itself on hover. */
export function Ago({ time }: { readonly time: string }) {
  const at = new Date(time)
  if (Number.isNaN(at.getTime())) return <span>{visibleText(time)}</span>
  return (
    <time dateTime={time} title={at.toLocaleString()}>
      {agoText((Date.now() - at.getTime()) / 1_000)}
    </time>
  )
}

function agoText(seconds: number): string {
  if (seconds < 0) return `in ${spanText(-seconds)}`
  return seconds < 5 ? 'just now' : `${spanText(seconds)} ago`
}

/** `3 min`, `2 h`, `5 d`. */
function spanText(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3_600) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} d`
}
