import { DataferryError } from '../../errors.ts'
import type { Command, Context } from '../command.ts'
import { checkOneBag } from '../bag/check.ts'
import { completeOneBag } from '../bag/complete.ts'
import { makeBags } from '../bag/make.ts'

/** What `dataferry bag` does. Rejects with `ARGUMENT_INVALID`. */
export const run: Command['run'] = async (context) => {
  const [what = '', bag] = context.args
  if (what === 'check') return checkOneBag(context, named(context, bag))
  if (what === 'complete') return completeOneBag(context, named(context, bag))
  if (bag !== undefined) throw new DataferryError('ARGUMENT_INVALID', `bag takes one name: what is ${bag} for?`)
  return makeBags(context, what)
}

function named({ args }: Context, bag: string | undefined): string {
  if (bag !== undefined) return bag
  throw new DataferryError('ARGUMENT_INVALID', `Which bag? Give its folder or file: dataferry bag ${args[0] ?? ''} BAG`)
}
