import type { Algorithm } from '../model/checksum.ts'

/** `native`: node:crypto, fastest, by its names. `saveable`: hash-wasm, whose state can be kept and loaded. */
export type HashMade<A extends string = string> =
  { readonly kind: 'native'; readonly algorithm: A } | { readonly kind: 'saveable'; readonly algorithm: A & Algorithm }

/** A request to a hash thread; answered in order by a `HashReply` of the same `call`. */
export type HashRequest = { readonly call: number; readonly id: number } & (
  | ({ readonly op: 'open' } & HashMade)
  /** Hashes the first `length` bytes of `memory`, which is returned with the reply: nothing is copied. */
  | { readonly op: 'update'; readonly memory: ArrayBuffer; readonly length: number }
  | { readonly op: 'load'; readonly state: Uint8Array }
  | { readonly op: 'digest' | 'save' | 'reset' | 'close' }
)

export interface HashReply {
  readonly call: number
  readonly value?: string | Uint8Array | ArrayBuffer | boolean
  readonly error?: string
}
