import type { Algorithm, Checksum } from './checksum.ts'

/** A running hash over a stream of bytes: the checksum that verifies them, and further digests that are taken on the way. */
export interface Hash<A extends string = Algorithm> {
  readonly algorithm: A
  /**
   * Adds bytes. The chunk must stay unchanged until the promise resolves, which may be before it is hashed; updates are not
   * concurrent. Every later call counts these bytes, even before the promise has resolved.
   */
  update(chunk: Uint8Array): Promise<void>
  /** Lower-case hex. Ends the hash. */
  digest(): Promise<string>
  /** The further digests, each in another algorithm than `algorithm`. Ends the hash. */
  digests(): Promise<readonly Checksum[]>
  /**
   * The state after the updates before this call, also when others follow before it resolves: to go on from in another process
   * with `load`. Undefined when this implementation cannot.
   */
  save(): Promise<Uint8Array | undefined>
  /** Replaces the state by a saved one. @returns false when this implementation cannot, or the state is not its own. */
  load(state: Uint8Array): Promise<boolean>
  /** Back to the empty hash. */
  reset(): Promise<void>
  /** Frees the hash; may be called after `digest`. */
  close(): void
}
