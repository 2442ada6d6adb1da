import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take a minute or more, the longest first. */
const SLOWEST = [
  'mirror/history.long',
  'mirror/kill.long',
  'e2e/kill.long',
  'dashboard/browser.long',
  'e2e/commands.long',
  'e2e/serve.long',
  'e2e/service.long',
  'e2e/stop-limits.long',
  'e2e/bundle-kill.long',
  'e2e/server-away.long',
]

/**
 * Long files begin first, so that none of them runs alone at the end. On a machine that has not run them yet, such as that of
 * continuous integration, vitest knows no durations and goes by the size of files.
 */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = SLOWEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`))
  return at < 0 ? SLOWEST.length : at
}
