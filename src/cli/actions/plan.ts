import type { Command, Context, ExitCode } from '../command.ts'
import { tellTerms } from '../keep-terms.ts'
import { pasted, typedAgain } from '../pasted.ts'
import { placeFor } from '../places.ts'
import { printList } from '../plan-list.ts'
import { checkAnswers } from '../guestbook-check.ts'
import { planBatch, printPlan } from '../planning.ts'
import { withPlanning } from '../with-planning.ts'

/** What `dataferry plan` does. */
export const run = (context: Context, typed: Command): Promise<ExitCode> =>
  withPlanning(context, async (sink, opened, sources) => {
    const state = await planBatch(context, sink, opened, { sources })
    const allFit = !context.has('list') || (await printList(context, sink, opened, state))
    const code = await printPlan(context.out, sink, opened, state)
    if (context.has('list')) {
      context.out.line('To fetch them:')
      context.out.line(`  ${runLine(context, typed, sink.url)}`)
    }
    tellTerms(context, opened.batch, state)
    await checkAnswers(context, sink, opened.batch, state, { sources })
    return allFit ? code : 1
  })

/** The command that carries the plan out. A manifest on standard input is gone, but its batch is on record. */
function runLine(context: Context, typed: Command, url: string): string {
  const { args, text, config, out } = context
  if ([...args, text('manifest')].includes('-')) return pasted(config, 'resume', [placeFor(out, url)])
  return typedAgain(context, 'run', typed, ['list', 'new'])
}
