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
  ],
  about: 'Acts as the user of the token, on one file or, with allow, on one dataset.',
  operands: [
    { name: 'action', help: ACTIONS },
    { name: 'id', help: 'a file (with allow: a dataset): its id, PID, or the address of its page' },
    {
      name: 'user',
      help: 'for grant, reject and revoke: @name, or a group such as &explicit/1-staff',
      optional: true,
      many: true,
    },
  ],
  settings: SERVER_SETTINGS,
  flags: [
    { flags: '--off', help: 'with allow: stop accepting requests' },
    { flags: '--history', help: 'with list: also granted and rejected requests (Dataverse 6.11)' },
    { flags: '--guestbook <file>', help: 'with request: JSON with truthful answers for the dataset’s guestbook' },
  ],
  run: async (context) => (await import('../actions/access.ts')).run(context),
}
