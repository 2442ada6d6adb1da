import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, systemCode } from '../../errors.ts'
import { destinationUrl, openSink } from '../../sinks/open-sink.ts'
import type { Finding } from './finding.ts'
import { LEAST_NODE, nodeProblem } from '../../node-version.ts'
import { formatBytes } from '../terminal/format.ts'

const LITTLE_SPACE = 1024 ** 3

/** Whether this Node.js can run dataferry. `version` is in the form of `process.versions.node`. */
export function checkNode(version: string): Finding {
  const message = nodeProblem(version)
  if (message === undefined) return { check: 'Node.js', health: 'ok', message: `version ${version}` }
  return { check: 'Node.js', health: 'fail', message, fix: `Install Node.js ${LEAST_NODE} or newer.` }
}

/** Whether the destination can be written, and how much fits. Nothing is made there. */
export async function checkDestination(destination: string): Promise<Finding> {
  const check = 'Destination'
  try {
    const url = destinationUrl(destination, process.cwd())
    const problem = url.startsWith('file:') ? await unwritable(fileURLToPath(url)) : undefined
    if (problem !== undefined) {
      return { check, health: 'fail', message: problem, fix: 'Choose another folder with --to, or change its rights.' }
    }
    return await checkSpace(check, destination)
  } catch (error) {
    return { check, health: 'fail', message: messageOf(error), fix: 'Choose a folder or URL with --to.' }
  }
}

async function checkSpace(check: string, destination: string): Promise<Finding> {
  const sink = await openSink(destination)
  try {
    const free = await sink.free()
    if (free === undefined) return { check, health: 'ok', message: `${sink.url} has no known limit` }
    const message = `${sink.url} has ${formatBytes(free)} free`
    return free < LITTLE_SPACE
      ? { check, health: 'warn', message, fix: 'Free some space, or choose another place with --to.' }
      : { check, health: 'ok', message }
  } finally {
    await sink.close()
  }
}

/** Why a folder could not be written, or made where it is missing; undefined when it can. */
async function unwritable(folder: string): Promise<string | undefined> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await access(at, constants.W_OK | constants.X_OK)
      return undefined
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || at === dirname(at)) return `${at} cannot be written: ${messageOf(error)}`
    }
  }
}
