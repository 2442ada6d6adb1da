import { z } from 'zod'
import { livenessOf, processIdentitySchema } from '../process/process-identity.ts'

const time = z.iso.datetime()
const base = { v: z.literal(1), at: time }
const text = z.string().max(4_000)

/** A line of `history.ndjson`. */
const historySchema = z.discriminatedUnion('event', [
  z.object({
    ...base,
    event: z.literal('started'),
    run: z.string().max(64),
    /** Absent: a person started it. */
    due: time.optional(),
    /** It goes on with a run that was parked, or whose process died. */
    again: z.boolean().optional(),
    /** The process that looks after it. */
    by: processIdentitySchema,
  }),
  z.object({
    ...base,
    event: z.literal('ended'),
    run: z.string().max(64),
    /** Undefined where a signal ended it. */
    code: z.number().int().optional(),
    /** Why it ended early and is to go on. */
    parked: text.optional(),
    /** Where its report is: a path or URL. */
    report: text.optional(),
    /** The end of what it said, where it failed. */
    said: text.optional(),
  }),
  z.object({ ...base, event: z.literal('skipped'), due: time, reason: text }),
])
export type HistoryLine = Readonly<z.infer<typeof historySchema>>

const LONGEST_LINE = 16_384

/** The lines that can be read; one that a crash cut off is left out. */
export function parseHistory(text: string): readonly HistoryLine[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.length > LONGEST_LINE) return []
    try {
      return historySchema.safeParse(JSON.parse(line)).data ?? []
    } catch {
      return []
    }
  })
}

/** A run, as its lines tell. */
export interface Run {
  readonly run: string
  /** Undefined: a person started it. */
  readonly due: string | undefined
  readonly startedAt: string
  /** The process that looked after it last. */
  readonly by: z.infer<typeof processIdentitySchema>
  /** How often it was gone on with. */
  readonly again: number
  /** Undefined: it still goes, or its process died. */
  readonly endedAt: string | undefined
  readonly code: number | undefined
  readonly parked: string | undefined
  readonly report: string | undefined
  readonly said: string | undefined
}

/** Runs, oldest first: one that was parked and went on is one. */
export function runsOf(lines: readonly HistoryLine[]): readonly Run[] {
  const runs = new Map<string, Run>()
  for (const line of lines) {
    if (line.event === 'started') {
      const known = runs.get(line.run)
      const open = { endedAt: undefined, code: undefined, parked: undefined, report: undefined, said: undefined }
      const { run, due, at: startedAt, by } = line
      runs.set(
        run,
        known ? { ...known, ...open, by, again: known.again + 1 } : { run, due, startedAt, by, again: 0, ...open },
      )
    } else if (line.event === 'ended') {
      const known = runs.get(line.run)
      const { at: endedAt, code, parked, report, said } = line
      if (known) runs.set(line.run, { ...known, endedAt, code, parked, report, said })
    }
  }
  return [...runs.values()]
}

/** - `interrupted`: its process is proven dead, and it is to go on · `parked`: it ended early, and is to go on */
type RunState = 'running' | 'interrupted' | 'parked' | 'ended'

export async function stateOf({ endedAt, parked, by }: Run): Promise<RunState> {
  if (endedAt !== undefined) return parked === undefined ? 'ended' : 'parked'
  return (await livenessOf(by)) === 'dead' ? 'interrupted' : 'running'
}

/** The newest due time that these lines know of. */
export function lastDueOf(lines: readonly HistoryLine[]): Date | undefined {
  const times = lines.flatMap((line) => ('due' in line && line.due !== undefined ? [Date.parse(line.due)] : []))
  return times.length === 0 ? undefined : new Date(Math.max(...times))
}
