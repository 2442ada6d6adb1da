import type { DataAccessApi } from '../../dataverse/data-access-api.ts'
import type { Item } from '../../model/item.ts'
import type { Context } from '../command.ts'
import type { GetRequest } from './wanted.ts'
import { startProgress } from '../terminal/progress.ts'
import type { Sources } from '../sources.ts'

/** What the parts of `dataferry get` share. */
export interface GetRun {
  readonly context: Context
  readonly request: GetRequest
  readonly sources: Sources
  readonly api: DataAccessApi
  /** Shows how far an item is: hears the bytes so far. */
  readonly progress: (item: Pick<Item, 'path' | 'expect'>) => (bytes: number) => void
}

/** Shorter downloads need no progress. */
const SHOWN_AFTER_MS = 1_000

/** The progress of one file at a time; `stop` gives the terminal back. */
export function fileProgress({ out, log }: Context): { readonly of: GetRun['progress']; readonly stop: () => void } {
  const shown = startProgress({ out, log })
  const of: GetRun['progress'] = ({ path, expect: { size } }) => {
    const fixed = { batch: path, planned: 1, planComplete: size !== undefined, plannedBytes: size ?? 0 }
    const ended = { done: 0, kept: 0, failed: 0, keptBytes: 0, notices: [] }
    const begun = performance.now()
    return (bytes) => {
      if (performance.now() - begun < SHOWN_AFTER_MS) return
      shown.update({ ...fixed, ...ended, bytes, active: [{ path, bytes, size }] })
    }
  }
  return { of, stop: () => shown.stop() }
}
