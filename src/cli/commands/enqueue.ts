import { PLANS, type Command } from '../command.ts'
import { command as planCommand } from './plan.ts'
import { ACCESS_FLAGS, ACCESS_SETTINGS, PLANNING_FLAGS } from '../shared-flags.ts'

/** `dataferry enqueue`: plans, records, returns; `dataferry work` does the rest. */
export const command: Command = {
  examples: [
    'dataferry enqueue manifest.csv --redis redis://queue.example.org --server https://demo.dataverse.org --to /srv/data',
  ],
  about: 'Workers may start while planning is still going on. `dataferry status` shows how far the batch is.',
  operands: planCommand.operands,
  settings: [...planCommand.settings, ...ACCESS_SETTINGS],
  flags: [...PLANNING_FLAGS, ...ACCESS_FLAGS],
  stop: PLANS,
  run: async (context) => (await import('../actions/enqueue.ts')).run(context),
}
