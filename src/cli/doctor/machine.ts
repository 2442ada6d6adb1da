import { messageOf } from '../../errors.ts'
import { LEAST_NODE, nodeProblem } from '../../node-version.ts'
import { inspectOnly } from '../intake.ts'
import { plural } from '../../model/format.ts'
import type { Finding } from './finding.ts'

/** Whether this Node.js can run dataferry. `version` is in the form of `process.versions.node`. */
export function checkNode(version: string): Finding {
  const message = nodeProblem(version)
  if (message === undefined) return { check: 'Node.js', health: 'ok', message: `version ${version}` }
  return { check: 'Node.js', health: 'fail', message, fix: `Install Node.js ${LEAST_NODE} or newer.` }
}

/** Whether the manifest of a command line can be read, every line of it. */
export async function checkManifest(context: Parameters<typeof inspectOnly>[0]): Promise<Finding> {
  const check = 'Manifest'
  try {
    const { manifest } = await inspectOnly(context)
    return { check, health: 'ok', message: `${manifest.name}: ${plural(manifest.entries, 'entry', 'entries')}` }
  } catch (error) {
    context.signal.throwIfAborted()
    return {
      check,
      health: 'fail',
      message: messageOf(error),
      fix: 'Correct the named lines; docs/manifests.md shows the forms.',
    }
  }
}
