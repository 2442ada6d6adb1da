import { DataferryError } from '../../errors.ts'
import type { Command } from '../command.ts'
import { exportCrates } from '../proof/export-crates.ts'

/** What `dataferry export` does. Rejects with `ARGUMENT_INVALID`. */
export const run: Command['run'] = (context) => {
  const [form = '', what = ''] = context.args
  if (form === 'ro-crate') return exportCrates(context, what)
  throw new DataferryError('ARGUMENT_INVALID', `export knows no ${form}: use ro-crate.`)
}
