import { countDownload, denied } from '../access.ts'
import type { Call } from '../call.ts'
import type { Context, Visit } from '../context.ts'
import type { DataFile } from '../datafile.ts'
import { formOf } from '../form.ts'
import type { Form } from '../form.ts'
import { requireGuestbook } from '../guestbook.ts'
import { requireDataFile } from '../lookup.ts'
import { presign } from '../presign.ts'
import { readRange } from '../range.ts'
import { EMPTY, internalError, json, noPhysicalFile, Refusal, thrown } from '../reply.ts'
import type { Reply } from '../reply.ts'

/** `GET` and `HEAD /api/access/datafile/{id}`. The order of the checks is the order of the errors (note §1.1). */
export function getDataFile(visit: Visit, segments: readonly string[], context: Context): Reply {
  const { call } = visit
  const file = requireDataFile(call, segments, context)
  requireHere(call, file)
  requireAccess(visit, file, context)
  if (!call.query.has('imageThumb')) requireGuestbook(visit, file, context)
  const form = formOf(call, file, context)
  if (file.spec.store === 'missing' || context.settings.storageAway) throw new Refusal(noPhysicalFile(file.id))
  const count = (): void => {
    if (form.counts) countDownload(file, visit)
  }
  const redirected = redirect(file, form, context)
  if (redirected) {
    // Before a byte has moved (Writer:243-256), while a file that is streamed counts when all of it is written (611-625).
    count()
    return redirected
  }
  return { ...ranged(call, whole(form), form, context), delivered: count }
}

export function requireHere(call: Call, file: DataFile): void {
  if (!file.dataset.harvested) return
  const text = `Datafile ${file.id} is a harvested file that cannot be accessed in this Dataverse`
  throw new Refusal(thrown(call, 404, text))
}

export function requireAccess(visit: Visit, file: DataFile, context: Context): void {
  if (denied(file, visit.user, context)) throw new Refusal(thrown(visit.call, 403))
}

function redirect(file: DataFile, form: Form, context: Context): Reply | undefined {
  if (file.spec.store !== 's3-redirect' || form.object === undefined) return undefined
  const location = presign({ file, original: form.object === 'original' }, form.name, form.type, context)
  return { status: 303, headers: { Location: location }, body: EMPTY }
}

/** Name in both headers: UTF-8, percent-encoded, blanks as %20 (Writer:457-517). No validator, no `Accept-Ranges`. */
function whole(form: Form): Reply {
  const name = encodeURIComponent(form.name)
  return {
    status: 200,
    headers: {
      'Content-disposition': `attachment; filename="${name}"`,
      'Content-Type': `${form.type}; name="${name}"`,
    },
    body: { kind: 'part', content: form.content, from: 0, to: form.content.size },
  }
}

/** Applies a Range header (note §4). */
function ranged(call: Call, reply: Reply, form: Form, context: Context): Reply {
  const header = call.header('range')
  if (header === undefined) return reply
  const { size } = form.content
  if (size === 0) throw new Refusal(thrown(call, 404))
  const range = readRange(header, size)
  if (range.kind === 'refused') throw new Refusal(rangeError(range.message))
  if (range.kind === 'broken') throw new Refusal(internalError(call, 'IOException'))
  const body = { kind: 'part', content: form.content, from: range.from, to: range.to } as const
  if (!context.features.partialContent) return { ...reply, body }
  const contentRange = `bytes ${range.from}-${range.to - 1}/${size}`
  return {
    status: 206,
    headers: { ...reply.headers, 'Content-Range': contentRange, 'Accept-Ranges': 'bytes' },
    body,
  }
}

/** 416 without `Content-Range`, unlike RFC 9110 §15.5.17. */
function rangeError(message: string): Reply {
  return json(416, { status: 'ERROR', code: 416, message: `Error due to Range header: ${message}` })
}
