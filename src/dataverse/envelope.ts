import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'

/**
 * The wrapper around every JSON answer of the API. Tolerant on purpose: `status` is `OK`, `ERROR` or, from the endpoint
 * filter, `error`; `code` is there only when an exception was mapped centrally.
 * @see the protocol note §0.1
 */
const envelopeSchema = z.looseObject({
  status: z.string(),
  code: z.number().nullish(),
  message: z.unknown().optional(),
  data: z.unknown().optional(),
})
/** An envelope, checked. */
export type Envelope = z.infer<typeof envelopeSchema>

/** Reads an envelope; undefined when the text is not one, e.g. a page of a proxy. Never throws. */
export function parseEnvelope(text: string): Envelope | undefined {
  return envelopeOf(parseJson(text))
}

/** A value as an envelope; undefined when it is not one. */
export function envelopeOf(value: unknown): Envelope | undefined {
  return envelopeSchema.safeParse(value).data
}

/** The sentence in an envelope, in any of its places: `message`, `message.message`, `data.message` or a plain `data`. */
export function envelopeMessage({ message, data }: Envelope): string | undefined {
  return [message, data].map(textIn).find((text) => text !== undefined)
}

function textIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || !('message' in value)) return undefined
  return typeof value.message === 'string' ? value.message : undefined
}
