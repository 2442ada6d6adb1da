import type { KnownPath } from '../../batch/known-paths.ts'
import { sameChecksum } from '../../model/checksum.ts'
import type { Result } from './result.ts'

/** Of a file that was not read since it came; it sorts before every time. */
export const NEVER = '0'

/** Whether only reading a file tells whether it is right. */
export function needsReading(known: KnownPath): known is KnownPath & { readonly listed: number } {
  const { listed, received } = known
  if (listed === undefined || !received?.checksum) return false
  return received.size === undefined || received.size === listed
}

/** When a file was last read; `NEVER` where it is another one by now: its record says other bytes, or was written since. */
export function lastReadAt({ received }: KnownPath, result: Result | undefined): string {
  if (!received?.checksum || !result?.checksum) return NEVER
  const { checksum } = result.expected ?? result
  if (!checksum || !sameChecksum(checksum, received.checksum)) return NEVER
  // The time of a mirror is that of its last run.
  return received.mirror === undefined && received.finishedAt > result.at ? NEVER : result.at
}
