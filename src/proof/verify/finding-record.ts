import { wordsOf, type Finding } from '../../batch/verify-destination.ts'

/** A finding as machines read it. */
export interface FindingRecord {
  readonly path: string
  readonly state: Finding['state']
  /** The state; of what has changed, how. */
  readonly kind: Exclude<Finding['state'], 'changed'> | 'bit-rot' | 'wrong-size'
  /** What it belongs to. */
  readonly batch?: string
  readonly mirror?: string
  /** PID. */
  readonly dataset?: string
  /** Line of the batch's plan. */
  readonly n?: number
  /** `md5 d41d…`, or `99 bytes`. */
  readonly expected?: string
  readonly found?: string
  /** Bytes that are there. */
  readonly size?: number
  /** Why it is not there, or what is wrong with a record. */
  readonly why?: string
}

/** @param dataset the PID of the dataset that it belongs to */
export function findingRecord(finding: Finding, dataset: string | undefined): FindingRecord {
  const { path, state } = finding
  const kind = finding.state === 'changed' ? finding.kind : finding.state
  if (!('batch' in finding)) {
    const rest = finding.state === 'unreadable' ? { why: finding.message } : { size: finding.size }
    return { path, state, kind, ...rest }
  }
  const { batch, n, mirror } = finding
  return {
    path,
    state,
    kind,
    ...(mirror === undefined ? { batch, n } : { mirror }),
    ...(dataset !== undefined && { dataset }),
    ...(finding.state === 'missing' && { expected: wordsOf(finding).expected }),
    ...(finding.state === 'changed' && wordsOf(finding)),
    ...('why' in finding && finding.why !== undefined && { why: finding.why }),
  }
}
