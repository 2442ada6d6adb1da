import { fileURLToPath } from 'node:url'
import type { DataverseProcess } from '../fakes/dataverse/process.ts'

/** Decides about `@jane`'s access to a file, as a curator whose token is `curator`. */
export async function decide(
  { url }: Pick<DataverseProcess, 'url'>,
  verb: 'grant' | 'reject',
  file: number,
): Promise<void> {
  const answer = await fetch(`${url}/api/access/datafile/${file}/${verb}Access/@jane`, {
    method: 'PUT',
    headers: { 'X-Dataverse-key': 'curator' },
  })
  if (!answer.ok) throw new Error(`${verb} ${file}: ${await answer.text()}`)
}

/** How often the server took a request for access to a file, by file. */
export async function requestsMade(
  dataverse: Pick<DataverseProcess, 'requests'>,
): Promise<ReadonlyMap<number, number>> {
  const made = new Map<number, number>()
  for (const { method, url, status } of await dataverse.requests()) {
    const file = Number(/\/datafile\/(\d+)\/requestAccess$/.exec(url)?.[1])
    if (method === 'PUT' && status === 200 && file > 0) made.set(file, (made.get(file) ?? 0) + 1)
  }
  return made
}

/** Surroundings of a process whose clock is ahead. */
export function aheadBy(ms: number): Readonly<Record<string, string>> {
  const clock = fileURLToPath(new URL('../fakes/clock-ahead.mjs', import.meta.url))
  return { NODE_OPTIONS: `--import=file://${clock}`, CLOCK_AHEAD_MS: String(ms) }
}
