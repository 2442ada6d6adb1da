import type { EventKind, NotifyEvent } from './event.ts'

/** Somebody who is told. */
export interface NotifyTarget {
  /** The same after a restart: what was delivered to it is remembered by this. */
  readonly key: string
  /** For people, without secrets. */
  readonly name: string
  /** Undefined: all of them. */
  readonly kinds: readonly EventKind[] | undefined
  /** Resolves when it was taken. Rejects with why not, for people. */
  send(event: NotifyEvent, signal: AbortSignal): Promise<void>
}

export function wants({ kinds }: Pick<NotifyTarget, 'kinds'>, kind: EventKind): boolean {
  return kind === 'test' || kinds === undefined || kinds.includes(kind)
}
