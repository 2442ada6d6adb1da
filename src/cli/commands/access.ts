import { ACCESS_ACTIONS } from '../access-table.ts'
import type { Command } from '../command.ts'
import { SERVER_SETTINGS } from '../shared-flags.ts'

const ACTIONS = ACCESS_ACTIONS.map(({ name, help }) => `${name}: ${help}`).join('; ')

/** `dataferry access`: who may have a restricted file. */
export const command: Command = {
  examples: [
    'dataferry access request 42 --server https://demo.dataverse.org',
    'dataferry access list 42 --server https://demo.dataverse.org --json',
    'dataferry access grant 42 @jane --server https://demo.dataverse.org',
    'dataferry access request -m manifest.csv --server https://demo.dataverse.org',
    'dataferry access grant --all-pending --dataset doi:10.5072/FK2/ABCDEF --server https://demo.dataverse.org',
  ],
  about:
    'Acts as the user of the token: on one file, with allow on one dataset, or on all restricted files of a manifest or a ' +
    'dataset, each with a row of its own.',
  operands: [
    { name: 'action', help: ACTIONS },
    { name: 'id', help: 'a file (with allow: a dataset): its id, PID, or the address of its page', optional: true },
    {
      name: 'user',
      help: 'for grant, reject and revoke: @name, or a group such as &explicit/1-staff',
      optional: true,
      many: true,
    },
  ],
  settings: [...SERVER_SETTINGS, 'guestbook'],
  flags: [
    {
      flags: '-m, --manifest <file>',
      help: 'with request, list, grant and reject: the restricted files of this manifest',
    },
    { flags: '--dataset <id>', help: 'the same: the restricted files of this dataset' },
    { flags: '--all-pending', help: 'with grant and reject: every request that is pending' },
    { flags: '-n, --dry-run', help: 'with a manifest or dataset: show what would be done, and do nothing' },
    { flags: '--off', help: 'with allow: stop accepting requests' },
    { flags: '--history', help: 'with list: also granted and rejected requests (Dataverse 6.11)' },
  ],
  run: async (context) => (await import('../actions/access.ts')).run(context),
}
