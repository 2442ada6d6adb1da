import { tokenFor, type LoadedConfig } from '../config/config.ts'
import { DataferryError } from '../errors.ts'

/** Throws `CONFIG_INVALID` where there is no token for a server: everything about access is done in somebody's name. */
export function requireToken(config: LoadedConfig, server: string): void {
  if (tokenFor(config, server) !== undefined) return
  const message = `${server} must know who is asking: set DATAVERSE_API_TOKEN, or give a file with --token-file.`
  throw new DataferryError('CONFIG_INVALID', message)
}
