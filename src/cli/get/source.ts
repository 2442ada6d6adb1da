import type { DataAccessApi } from '../../dataverse/data-access-api.ts'
import type { Download } from '../../dataverse/download.ts'
import { DataferryError } from '../../errors.ts'
import type { OpenBody, OpenSource } from '../../model/source.ts'
import type { GetRequest } from './wanted.ts'

/**
 * A whole file, from any byte. Where a guestbook stands before it, the answers are sent, anew for each request since a
 * signed URL is good for one minute only; without answers the error says what is asked.
 * @param open of the same server, knowing nothing of guestbooks
 */
export function wholeSource(open: OpenSource, api: DataAccessApi, request: GetRequest): OpenSource {
  return async (ref, from, options) => {
    try {
      return await open(ref, from, { ...options, count: options.count && request.count })
    } catch (error) {
      const guarded = error instanceof DataferryError && error.code === 'SOURCE_GUESTBOOK'
      if (!guarded || options.headerless) throw error
      const { guestbookResponse } = request
      const range = from > 0 ? { range: { start: from } } : {}
      const asked = { signal: options.signal, countDownload: options.count && request.count, guestbookResponse }
      const download = await request.ask(api, { ...asked, ...range })
      return { ...bodyOf(download), from, size: download.totalSize }
    }
  }
}

/** An answer that is here already. It is made for this one request, so it cannot be asked for again from a later byte. */
export function answerSource(download: Download): OpenSource {
  let taken = false
  return () => {
    if (taken) {
      const message = 'The connection broke, and what is made for each request anew cannot be gone on with.'
      return Promise.reject(new DataferryError('SOURCE_CHANGED', message))
    }
    taken = true
    return Promise.resolve(bodyOf(download))
  }
}

function bodyOf(download: Download): OpenBody {
  const { size, contentType } = download
  return { body: download, from: 0, size, etag: undefined, contentType }
}
