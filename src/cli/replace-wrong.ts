import type { Existing } from '../model/existing.ts'

/**
 * How a file that was found wrong is replaced. A store keeps the checksum of an object beside it, whatever became of its bytes, so that
 * only fetching it again helps; a file on a disk is read, if it can be, and left alone if it is right by now.
 * @param url of the destination
 */
export function replacingWrong(url: string, hasUnreadable = false): Existing {
  return url.startsWith('file:') && !hasUnreadable ? 'overwrite-different' : 'overwrite'
}
