import { DataferryError } from '../../errors.ts'
import { findAction } from '../access-actions.ts'
import { accessMany } from '../access-many.ts'
import { namesMany } from '../access-subjects.ts'
import { requireToken } from '../access-token.ts'
import type { Command } from '../command.ts'
import { identify } from '../identify.ts'
import { pasted } from '../pasted.ts'
import { refusedOrThrow } from '../refusal.ts'
import { Sources } from '../sources.ts'

/** What `dataferry access` does. */
export const run: Command['run'] = async (context) => {
  const { config, args, signal } = context
  const [word = '', id = '', ...users] = args
  const action = findAction(word)
  if (namesMany(context)) {
    if (id === '') return accessMany(context, word)
    throw new DataferryError('ARGUMENT_INVALID', `Give ${id}, or a manifest or dataset, not both.`)
  }
  if (id === '')
    throw new DataferryError('ARGUMENT_INVALID', `access ${word} needs a file, -m MANIFEST or --dataset ID.`)
  if (action.takesUsers !== users.length > 0) {
    if (!action.takesUsers) throw new DataferryError('ARGUMENT_INVALID', `access ${action.name} takes no user.`)
    throw new DataferryError('ARGUMENT_INVALID', `access ${action.name} needs a user such as @jane.`, {
      advice: 'To see who requested access:',
      command: pasted(config, 'access', ['list', id]),
    })
  }
  const named = identify(id, action.name === 'allow' ? 'dataset' : 'any', config)
  requireToken(config, named.server)
  const sources = new Sources(context, [named.server])
  try {
    await action.run({ context, api: sources.access(named.server), named, id, users, signal })
    return 0
  } catch (error) {
    return refusedOrThrow(error, context)
  } finally {
    await sources.close()
  }
}
