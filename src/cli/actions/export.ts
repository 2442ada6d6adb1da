import { DataferryError } from '../../errors.ts'
import type { Command } from '../command.ts'
import { exportCrates } from '../proof/export-crates.ts'
import { exportStatement } from '../proof/export-statement.ts'
import { exportObjects } from '../proof/export-objects.ts'
import { refuseFlags } from '../refuse-flags.ts'

/** What `dataferry export` does. Rejects with `ARGUMENT_INVALID`. */
export const run: Command['run'] = async (context) => {
  const [form = '', what = ''] = context.args
  if (form === 'ro-crate') {
    refuseFlags(context, form, ['layout', 'algorithm', 'sign', 'check', 'allowed-signers', 'accept-changed'])
    return await exportCrates(context, what)
  }
  if (form === 'ocfl') {
    refuseFlags(context, form, ['per', 'zip', 'tar', 'link', 'sign', 'check', 'allowed-signers', 'accept-changed'])
    return await exportObjects(context, what)
  }
  if (form === 'statement') {
    refuseFlags(context, form, ['per', 'link', 'layout', 'algorithm', 'allow-missing', 'offline'])
    return await exportStatement(context, what)
  }
  throw new DataferryError('ARGUMENT_INVALID', `export knows no ${form}: use ro-crate, ocfl or statement.`)
}
