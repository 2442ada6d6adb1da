import type { LoadedConfig } from '../config/config.ts'
import { DataferryError } from '../errors.ts'

/**
 * Whether the batch of a command is open to every worker of its Redis. One with a rate of its own is not, unless it was asked for, which
 * is `ARGUMENT_INVALID`: workers keep to the rates that they were started with.
 */
export function isShared({ settings, given: { share, limitRate } }: Pick<LoadedConfig, 'settings' | 'given'>): boolean {
  if (!settings.share || limitRate === undefined) return settings.share
  if (share === undefined) return false
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `${limitRate.flag} does not go with ${share.flag}: workers keep to the rates that they were started with.`,
    {
      advice:
        `Leave out ${share.flag}, and this command fetches by itself; or limit what all workers receive from a server ` +
        'with `dataferry limit`.',
    },
  )
}
