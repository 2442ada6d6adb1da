import { DataferryError } from '../../errors.ts'
import type { Command, Context } from '../command.ts'
import { checkOneBag } from '../bag/check.ts'
import { completeOneBag } from '../bag/complete.ts'
import { makeBags } from '../bag/make.ts'
import { refuseFlags } from '../refuse-flags.ts'

/** What `dataferry bag` does. Rejects with `ARGUMENT_INVALID`. */
export const run: Command['run'] = async (context) => {
  const [what = '', bag] = context.args
  if (what === 'check' || what === 'complete') {
    const place = named(context, bag)
    refuseFlags(context, `bag ${what}`, what === 'check' ? OF_MAKING : [...OF_MAKING, 'profile'])
    return what === 'check' ? checkOneBag(context, place) : completeOneBag(context, place)
  }
  if (bag !== undefined) throw new DataferryError('ARGUMENT_INVALID', `bag takes one name: what is ${bag} for?`)
  return makeBags(context, what)
}

const OF_MAKING = [
  'from',
  'per',
  'zip',
  'tar',
  'link',
  'algorithm',
  'info',
  'crate',
  'allow-missing',
  'offline',
  'dir',
  'to',
]

function named({ args }: Context, bag: string | undefined): string {
  if (bag !== undefined) return bag
  throw new DataferryError('ARGUMENT_INVALID', `Which bag? Give its folder or file: dataferry bag ${args[0] ?? ''} BAG`)
}
