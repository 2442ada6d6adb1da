import { useEffect, useRef, useState } from 'preact/hooks'
import { get, messageOf } from './api.ts'

export interface Live<T> {
  readonly state: T | undefined
  readonly problem: string | undefined
}

const POLL_MS = 5_000
const AGAIN_MS = 3_000

/**
 * The newest state of something, as it changes. While a tab is hidden it watches nothing: browsers have few connections for each host.
 * @param query of `/api/events`
 * @param fallback asked now and then where no stream can be had
 */
export function useLive<T>(query: string, fallback: string): Live<T> {
  const [live, setLive] = useState<Live<T>>({ state: undefined, problem: undefined })
  useEffect(() => {
    setLive({ state: undefined, problem: undefined })
    return watch<T>(query, fallback, setLive)
  }, [query, fallback])
  return live
}

type Tell<T> = (change: (before: Live<T>) => Live<T>) => void

function watch<T>(query: string, fallback: string, tell: Tell<T>): () => void {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const show = (state: T): void => tell(() => ({ state, problem: undefined }))
  const fail = (problem: string): void => tell(({ state }) => ({ state, problem }))
  const close = (): void => {
    source?.close()
    source = undefined
    clearTimeout(timer)
  }
  const poll = (): void => {
    get<T>(fallback).then(show, (error: unknown) => fail(messageOf(error)))
    timer = setTimeout(open, POLL_MS)
  }
  const open = (): void => {
    close()
    if (document.hidden) return
    const events = new EventSource(`/api/events${query}`)
    source = events
    events.addEventListener('state', ({ data }) => show(JSON.parse(String(data)) as T))
    events.addEventListener('problem', ({ data }) =>
      fail(String(Reflect.get(JSON.parse(String(data)) as object, 'message'))),
    )
    events.addEventListener('error', () => {
      if (events !== source) return
      // A connection that broke is opened again by the browser; one that was refused is not.
      if (events.readyState !== EventSource.CLOSED) fail('The connection was lost; trying again.')
      else {
        close()
        timer = setTimeout(poll, AGAIN_MS)
      }
    })
  }
  const onVisible = (): void => (document.hidden ? close() : open())
  document.addEventListener('visibilitychange', onVisible)
  open()
  return () => {
    document.removeEventListener('visibilitychange', onVisible)
    close()
  }
}

/** What one question brings, and a way to ask it again. */
export function useAnswer<T>(path: string, everyMs?: number): Live<T> & { readonly again: () => void } {
  const [live, setLive] = useState<Live<T>>({ state: undefined, problem: undefined })
  const [turn, setTurn] = useState(0)
  const asking = useRef<AbortController | undefined>(undefined)
  useEffect(() => {
    const left = new AbortController()
    asking.current = left
    get<T>(path, left.signal)
      .then(
        (state) => setLive({ state, problem: undefined }),
        (error: unknown) => {
          if (!left.signal.aborted) setLive(({ state }) => ({ state, problem: messageOf(error) }))
        },
      )
      .finally(() => {
        if (asking.current === left) asking.current = undefined
      })
    return () => left.abort()
  }, [path, turn])
  useEffect(() => {
    if (everyMs === undefined) return undefined
    const ask = (): void => {
      // A slow answer is waited for.
      if (!document.hidden && !asking.current) setTurn((before) => before + 1)
    }
    const timer = setInterval(ask, everyMs)
    // A tab that was hidden shows what was true then.
    document.addEventListener('visibilitychange', ask)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', ask)
    }
  }, [everyMs])
  return { ...live, again: () => setTurn((before) => before + 1) }
}
