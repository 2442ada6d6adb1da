import { setMaxListeners } from 'node:events'

/** Aborts when one of these does. Each of the many requests that run at the same time may listen to it. */
export function anySignal(...signals: readonly AbortSignal[]): AbortSignal {
  const signal = AbortSignal.any([...signals])
  setMaxListeners(0, signal)
  return signal
}
