import { Slots } from '../ledger/slots.ts'
import type { Workers } from '../ledger/workers.ts'
import { isOwner, livenessOf, newOwner, ownerLiveness, ownProcess } from '../process/process-identity.ts'
import { QuestionSlots } from '../../workers/question-slots.ts'
import type { Context } from './command.ts'
import type { Runtime } from './runtime.ts'

/** Slots for the questions of a command that has no workers of its own. */
export async function openQuestionSlots(
  { config }: Pick<Context, 'config'>,
  { client, changes, workers }: Pick<Runtime, 'client' | 'changes' | 'workers'>,
): Promise<QuestionSlots> {
  const { jobs, prefix } = config.settings
  const slots = new Slots(client, { usualLimit: jobs, prefix })
  // Its own name tells others whether it still lives.
  const id = newOwner(await ownProcess())
  return new QuestionSlots({ slots, changes, id, isDead: (process) => isDead(process, workers) })
}

/** Whether a process that holds slots is proven dead: by its name, or by what it told of itself as a worker. */
async function isDead(process: string, workers: Pick<Workers, 'list'>): Promise<boolean> {
  if (isOwner(process)) return (await ownerLiveness(process)) === 'dead'
  const record = (await workers.list()).find(({ id }) => id === process)
  return record !== undefined && (await livenessOf(record)) === 'dead'
}
