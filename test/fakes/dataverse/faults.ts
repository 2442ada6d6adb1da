import { z } from 'zod'

const size = z.number().int().nonnegative()

/** One thing that goes wrong with one answer. Offsets count in the body of that answer. */
const stepSchema = z.discriminatedUnion('kind', [
  /** Nothing goes wrong. */
  z.strictObject({ kind: z.literal('fine') }),
  /** The connection breaks after so many bytes, always before the end. */
  z.strictObject({ kind: z.literal('cut'), after: size }),
  /** No `Content-Length`, and the message ends early as if it were whole: after so many bytes, or files of an archive. */
  z.strictObject({ kind: z.literal('early-end'), after: size.optional(), entries: size.optional() }),
  /** Then nothing more comes, until somebody closes the connection. */
  z.strictObject({ kind: z.literal('stall'), after: size }),
  /** The whole file as 200 whatever was asked. */
  z.strictObject({ kind: z.literal('ignore-range') }),
  /** 206 whose `Content-Range`, and bytes, begin `shift` bytes later than asked. */
  z.strictObject({ kind: z.literal('wrong-range'), shift: z.number().int().positive() }),
  /** One bit is wrong; `at` defaults to the middle. `entries`: one bit in each of these files of an archive, from 0. */
  z.strictObject({ kind: z.literal('flip'), at: size.optional(), entries: z.array(size).optional() }),
  /** More bytes than the file has, truthfully announced. */
  z.strictObject({ kind: z.literal('longer'), by: z.number().int().positive() }),
  /** The file has another size from now on this answer, in every header. */
  z.strictObject({ kind: z.literal('size-changed'), by: z.number().int().positive() }),
  /** The connection is reset before any answer. */
  z.strictObject({ kind: z.literal('reset') }),
  /** The storage behind the server is away: the words that it has for bytes that are lost. */
  z.strictObject({ kind: z.literal('no-object') }),
  /** So many bytes at each interval. */
  z.strictObject({ kind: z.literal('drip'), bytes: z.number().int().positive(), everyMs: z.number().nonnegative() }),
  /** `Content-Encoding: gzip`: on bytes that are plain, as of an object stored so, or on what a proxy compresses. */
  z.strictObject({ kind: z.literal('gzip'), compress: z.boolean() }),
  /** No `Content-Length`, otherwise whole. */
  z.strictObject({ kind: z.literal('no-length') }),
  /** Another answer in front of the server: a proxy's page, a firewall, a limiter. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.number().int(),
    body: z.enum(['json', 'html', 'empty']).optional(),
    /** Seconds, or an HTTP date. */
    retryAfter: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
  }),
])
export type FaultStep = z.infer<typeof stepSchema>

const SCOPES = ['dataverse', 'storage', 'any'] as const

/** A script: which requests it meets, and what happens to each in turn. */
export const faultSchema = z.strictObject({
  /** Requests for this file's bytes (single file, any form). */
  file: z.number().int().optional(),
  /** Requests whose path and query contain this text. */
  path: z.string().optional(),
  /** Default any. */
  origin: z.enum(SCOPES).optional(),
  steps: z.array(stepSchema),
  /** The last step goes on for ever. */
  repeat: z.boolean().optional(),
})
export type FaultData = z.infer<typeof faultSchema>

/** What a fault can be matched with. */
export interface Target {
  readonly origin: 'dataverse' | 'storage'
  readonly method: string
  readonly url: string
  readonly file: number | undefined
  readonly range: string | undefined
}

/** A script; inside one process it may choose by a function too. */
export interface Fault extends FaultData {
  readonly when?: (target: Target) => boolean
}

/** A step that was taken from a script; `putBack` undoes that when the answer had no body to spoil. */
export interface TakenStep {
  readonly step: FaultStep
  readonly putBack: () => void
}

/** The scripts in force, each with its place. */
export class FaultScript {
  #running: { readonly fault: Fault; next: number }[] = []

  add(fault: Fault): void {
    this.#running.push({ fault, next: 0 })
  }

  clear(): void {
    this.#running = []
  }

  /** The step for this request, of the first script that meets it and has one left. */
  take(target: Target): TakenStep | undefined {
    for (const script of this.#running) {
      if (!meets(script.fault, target)) continue
      const { steps, repeat } = script.fault
      const at = repeat ? Math.min(script.next, steps.length - 1) : script.next
      const step = steps[at]
      if (!step) continue
      script.next += 1
      return { step, putBack: () => (script.next -= 1) }
    }
    return undefined
  }
}

function meets(fault: Fault, target: Target): boolean {
  return (
    (fault.file === undefined || fault.file === target.file) &&
    (fault.path === undefined || target.url.includes(fault.path)) &&
    (fault.origin === undefined || fault.origin === 'any' || fault.origin === target.origin) &&
    (fault.when === undefined || fault.when(target))
  )
}
