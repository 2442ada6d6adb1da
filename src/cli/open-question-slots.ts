import { Slots } from '../ledger/slots.ts'
import { newWriterId } from '../../workers/run.ts'
import { QuestionSlots } from '../../workers/question-slots.ts'
import type { Context } from './command.ts'
import type { Runtime } from './runtime.ts'

/** Slots for the questions of a command that has no workers of its own. */
export function openQuestionSlots(
  { config }: Pick<Context, 'config'>,
  { client, changes }: Pick<Runtime, 'client' | 'changes'>,
): QuestionSlots {
  const { jobs, prefix } = config.settings
  return new QuestionSlots({ slots: new Slots(client, { usualLimit: jobs, prefix }), changes, id: newWriterId() })
}
