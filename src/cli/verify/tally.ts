import type { Finding } from '../../batch/verify-destination.ts'
import type { Amount } from '../../proof/verify/summary.ts'
import { NeverFetched } from './never-fetched.ts'

/** What a verification has found so far. */
export class VerifyTally {
  readonly found: Record<Finding['state'], number> = {
    ok: 0,
    'size-only': 0,
    missing: 0,
    changed: 0,
    extra: 0,
    unfetched: 0,
    unreadable: 0,
  }
  /** Bytes of what lies there, extra files included. */
  bytes = 0
  readonly neverFetched = new NeverFetched()
  #read = { files: 0, bytes: 0 }

  /** What was read. */
  get read(): Amount {
    return this.#read
  }

  /** Findings that are not right. */
  get wrong(): number {
    const { missing, changed, extra, unfetched, unreadable } = this.found
    return missing + changed + extra + unfetched + unreadable
  }

  add(finding: Finding): void {
    this.found[finding.state]++
    this.neverFetched.add(finding)
    if ('size' in finding) this.bytes += finding.size
    const read = finding.state === 'ok' ? finding : finding.state === 'changed' ? finding.found : undefined
    if (!read?.checksum) return
    this.#read = { files: this.#read.files + 1, bytes: this.#read.bytes + (read.size ?? 0) }
  }
}
