/** A slot that is held: the right to have one request under way at a server. */
export interface TakenSlot {
  /** Gives it back; repeatable. */
  release(): void
}

/** Waits for a slot of a server. Rejects with the signal's reason. */
export type TakeSlot = (server: string, signal: AbortSignal) => Promise<TakenSlot>
