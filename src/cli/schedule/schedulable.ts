import type { Command } from '../command.ts'
import { command as enqueue } from '../commands/enqueue.ts'
import { command as mirror } from '../commands/mirror.ts'
import { command as run } from '../commands/run.ts'
import { command as verify } from '../commands/verify.ts'

/** The commands that a schedule can run. */
export const SCHEDULABLE: Readonly<Record<string, Command | undefined>> = { mirror, run, enqueue, verify }
