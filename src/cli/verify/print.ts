import { wordsOf, type Finding } from '../../batch/verify-destination.ts'
import type { FindingRecord } from '../../proof/verify/finding-record.ts'
import type { Output, Tone } from '../terminal/output.ts'

/** Prints a finding that is not right, with what it belongs to: for people as lines, with `--json` as a record. */
export function printFinding(out: Output, finding: Finding, record: FindingRecord): void {
  out.record({ event: 'finding', ...record })
  if (finding.state === 'size-only' || finding.state === 'ok') return
  const [what, text, tone] = shown(finding)
  out.line(`${what.padEnd('missing'.length)}  ${text}`, tone)
  const owner = [record.mirror ?? record.batch, record.dataset].filter((name) => name !== undefined)
  if (owner.length > 0) out.line(`    of ${owner.join(', ')}`, 'dim')
}

function shown(finding: Exclude<Finding, { state: 'ok' | 'size-only' }>): [what: string, text: string, Tone] {
  const { path } = finding
  switch (finding.state) {
    case 'missing':
      return ['missing', path, 'bad']
    case 'changed': {
      if (finding.why !== undefined) return ['unreadable', `${path}  (${finding.why})`, 'bad']
      const what = finding.kind === 'bit-rot' ? 'bit rot' : 'wrong size'
      const { found, expected } = wordsOf(finding)
      return [what, `${path}  (${found}, was ${expected})`, 'bad']
    }
    case 'extra':
      return ['extra', `${path}  (no receipt knows it)`, 'warn']
    case 'unfetched':
      return ['never fetched', `${path}  (${finding.why ?? 'not tried yet'})`, 'bad']
    case 'unreadable':
      return ['unreadable', finding.message, 'bad']
  }
}
