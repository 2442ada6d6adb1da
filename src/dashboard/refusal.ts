import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { DataferryError, ERROR_CODES, messageOf } from '../errors.ts'
import { visibleText } from '../model/visible-text.ts'
import type { z } from 'zod'
import type { refusalSchema } from './api/schemas.ts'

/** What every request gets that is refused or fails, in the form of `refusalSchema`. */
export function refuse(
  context: Context,
  status: ContentfulStatusCode,
  code: string,
  message: string,
  advice?: string,
): Response {
  const error = { code, message: visibleText(message), ...(advice !== undefined && { advice }) }
  return context.json({ error }, status)
}

/** The answer for an error: what happened and what to do, as the command line says it. */
export function refuseFor(context: Context, error: unknown): Response {
  const { code, message, advice } = refusalOf(error)
  return refuse(context, error instanceof DataferryError ? statusOf(error) : 500, code, message, advice)
}

export function refusalOf(error: unknown): z.infer<typeof refusalSchema>['error'] {
  if (error instanceof DataferryError) {
    const { code, message, advice, command } = error
    return { code, message, advice: command === undefined ? advice : `${advice} ${command}` }
  }
  return { code: 'UNEXPECTED', message: visibleText(messageOf(error)) }
}

function statusOf({ code }: DataferryError): ContentfulStatusCode {
  if (code === 'BATCH_NOT_FOUND' || code === 'MIRROR_NOT_FOUND') return 404
  if (code === 'BATCH_OWNED' || code === 'MIRROR_BUSY') return 409
  switch (ERROR_CODES[code].group) {
    case 'input':
      return 400
    case 'source':
      return 502
    case 'bytes':
    case 'sink':
    case 'system':
      return 503
  }
}
