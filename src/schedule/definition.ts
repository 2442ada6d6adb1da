import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { shellWord } from '../model/shell-word.ts'

/** `schedule.json`: when a command is run, and which. Never holds a secret. */
const definitionSchema = z.object({
  v: z.literal(1),
  name: z.string().max(64),
  /** Five fields as in a crontab, six with seconds in front, or a word such as `@daily`. */
  cron: z.string().max(200),
  /** IANA time zone of `cron` and `between`. */
  tz: z.string().max(64),
  /** Hours in which the command may run: `20:00-06:00`. */
  between: z.string().max(11).optional(),
  /** Each start is this much later at most, by an amount that depends on its due time. */
  jitterMs: z.number().int().nonnegative().default(0),
  /** The words after `dataferry`. */
  command: z.array(z.string().max(10_000)).min(1).max(1_000),
  /** Folder that the command is run in. */
  cwd: z.string(),
  createdAt: z.iso.datetime(),
  /** Due times up to this one do not count: when it was added, or last continued. */
  since: z.iso.datetime(),
  pausedAt: z.iso.datetime().optional(),
})
export type Schedule = Readonly<z.infer<typeof definitionSchema>>

/** A definition takes far less. */
const LONGEST = 4 << 20

/** @returns undefined for anything that is no definition of this version */
export function parseSchedule(text: string): Schedule | undefined {
  if (text.length > LONGEST) return undefined
  try {
    return definitionSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** The command as people type it. */
export function commandText({ command }: Schedule): string {
  return ['dataferry', ...command].map(shellWord).join(' ')
}

/** A name that is safe as a folder everywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

export function isScheduleName(name: string): boolean {
  return NAME.test(name) && !name.endsWith('.')
}

/** Throws `ARGUMENT_INVALID`. */
export function checkScheduleName(name: string): string {
  if (isScheduleName(name)) return name
  const message = `${JSON.stringify(name)} cannot be the name of a schedule: use up to 64 small letters, digits, ".", "_" and "-".`
  throw new DataferryError('ARGUMENT_INVALID', message)
}
