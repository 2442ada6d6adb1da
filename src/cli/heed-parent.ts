import { z } from 'zod'
import type { SharedBatch } from '../ledger/schedules.ts'
import type { Interruption } from './interruption.ts'
import { supervision } from './supervision.ts'
import type { OutputOptions } from './terminal/output.ts'

/** What a parent asks over the channel. */
const askedSchema = z.union([
  z.object({ park: z.string().max(1_000) }),
  /** It may run at some hours only: should the parent die, it parks for all workers, too. */
  z.object({ hasHours: z.literal(true) }),
])
export type Asked = z.infer<typeof askedSchema>

/**
 * What a process does whose parent, a supervisor or a scheduler, holds a channel to it: it parks when asked to, and when the parent
 * has died, since the next one starts processes of its own.
 */
export function heedParent({ stop, park }: Pick<Interruption, 'stop' | 'park'>): void {
  let end = stop
  const gone = (): void => end('the process that started it has gone')
  // It died while this process was starting.
  if (!process.connected) {
    gone()
    return
  }
  process.once('disconnect', gone)
  process.on('message', (message) => {
    const asked = askedSchema.safeParse(message)
    if (!asked.success) return
    if ('park' in asked.data) park(asked.data.park)
    else end = park
  })
}

/** How work ended, as records of results tell it. */
const resultSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('summary'), batch: z.string(), destination: z.string() }),
  z.object({ event: z.literal('enqueued'), batch: z.string(), destination: z.string() }),
  z.object({ event: z.literal('verified'), report: z.string().nullable() }),
  z.object({ event: z.literal('mirror-run'), mirror: z.string(), run: z.string(), destination: z.string() }),
])
type Result = z.infer<typeof resultSchema>

/** The batch that a command has left to the workers, while it goes. */
const sharedSchema = z.object({ event: z.literal('shared'), batch: z.string(), destination: z.string() })

/** Tells a scheduler of results, and of the batch; undefined where a supervisor listens. */
export function tellParent(): OutputOptions['onRecord'] {
  if (supervision()) return undefined
  return (record) => {
    const told = z.union([resultSchema, sharedSchema]).safeParse(record)
    if (told.success && process.connected) process.send?.(told.data)
  }
}

/** The batch that a command has left to the workers; undefined for any other message of a child. */
export function sharedBatchOf(message: unknown): SharedBatch | undefined {
  const shared = sharedSchema.safeParse(message).data
  return shared && { id: shared.batch, destination: shared.destination }
}

/** Where the report of a result is; undefined for any other message of a child. */
export function reportOf(message: unknown): string | undefined {
  const result = resultSchema.safeParse(message).data
  return result && reportFrom(result)
}

/** Where the report of a result is; undefined: none was written. */
export function reportFrom(result: Result): string | undefined {
  switch (result.event) {
    case 'verified':
      return result.report ?? undefined
    case 'mirror-run':
      return `${result.destination}/.dataferry/mirrors/${result.mirror}/runs/${result.run}/run.json`
    // Of an enqueued batch it is written when the workers have finished.
    case 'summary':
    case 'enqueued':
      return `${result.destination}/.dataferry/${result.batch}/report.json`
  }
}
