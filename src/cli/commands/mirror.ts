import { PARKS, type Command } from '../command.ts'
import { MIRROR_ACTIONS } from '../mirror/action-names.ts'
import { FILTER_FLAGS } from '../shared-flags.ts'
import { command as runCommand } from './run.ts'

/** `dataferry mirror`: a standing order, and its runs. */
export const command: Command = {
  examples: [
    'dataferry mirror create climate --collection climate --server https://demo.dataverse.org --to ./mirror',
    'dataferry mirror run climate --to ./mirror',
    'dataferry mirror changes climate --to ./mirror',
    'dataferry mirror prune climate --removed-for 180d --to ./mirror',
  ],
  about:
    'A mirror keeps the released datasets of a collection, a search, an OAI set or a list at a destination. A run fetches ' +
    'only what changed; what the server drops is kept. A run that was interrupted goes on when it is given again.',
  operands: [
    { name: 'action', help: MIRROR_ACTIONS.join(', ') },
    { name: 'name', help: 'of the mirror', optional: true },
    { name: 'what', help: 'with changes: a run; with purge: the PID of a dataset', optional: true },
  ],
  settings: runCommand.settings.filter((name) => name !== 'format' && name !== 'existing'),
  flags: [
    { flags: '--collection <alias>', help: 'with create: this collection and all within; again for more', many: true },
    { flags: '--linked', help: 'with --collection: also datasets that are only linked there' },
    { flags: '--query <search>', help: 'with create: what this search finds' },
    { flags: '--oai-set <spec>', help: 'with create: what this OAI set holds' },
    { flags: '--datasets <file>', help: 'with create: the datasets of a manifest, - for standard input' },
    { flags: '--versions <which>', help: 'with create: latest (default), or all released versions' },
    {
      flags: '--layout <name>',
      help: 'with create: tree (default), or ocfl: objects of an OCFL storage root in ocfl/NAME',
    },
    { flags: '--metadata <what>', help: 'with create: none, dataset (default) or all that the server exports' },
    ...FILTER_FLAGS,
    { flags: '--max-removals <share>', help: 'keep all as it is where more would leave; default: 5%, or 10 datasets' },
    { flags: '--full', help: 'with run: look at every dataset, and ask again for withheld files' },
    { flags: '-n, --dry-run', help: 'with run: show what would change, and fetch nothing' },
    { flags: '--removed-for <age>', help: 'with prune: drop what left so long ago, such as 180d' },
    { flags: '--yes', help: 'with prune and purge: do it; without, only list' },
  ],
  stop: PARKS,
  run: async (context) => (await import('../actions/mirror.ts')).run(context),
}
