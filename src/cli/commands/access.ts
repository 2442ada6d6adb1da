import { tokenFor } from '../../config/config.ts'
import { DataferryError } from '../../errors.ts'
import { ACCESS_ACTIONS, findAction } from '../access-actions.ts'
import type { Command } from '../command.ts'
import { identify } from '../identify.ts'
import { pasted } from '../pasted.ts'
import { refusedOrThrow } from '../refusal.ts'
import { SERVER_SETTINGS, Sources } from '../sources.ts'

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
  run: async (context) => {
    const { config, args, signal } = context
    const [word = '', id = '', ...users] = args
    const action = findAction(word)
    if (action.takesUsers !== users.length > 0) {
      if (!action.takesUsers) throw new DataferryError('ARGUMENT_INVALID', `access ${action.name} takes no user.`)
      throw new DataferryError('ARGUMENT_INVALID', `access ${action.name} needs a user such as @jane.`, {
        advice: 'To see who requested access:',
        command: pasted(config, 'access', ['list', id]),
      })
    }
    const named = identify(id, action.name === 'allow' ? 'dataset' : 'any', config)
    if (tokenFor(config, named.server) === undefined) {
      const message = `${named.server} must know who is asking: set DATAVERSE_API_TOKEN, or give a file with --token-file.`
      throw new DataferryError('CONFIG_INVALID', message)
    }
    const sources = new Sources(context, [named.server])
    try {
      await action.run({ context, api: sources.access(named.server), named, id, users, signal })
      return 0
    } catch (error) {
      return refusedOrThrow(error, context)
    } finally {
      await sources.close()
    }
  },
}
