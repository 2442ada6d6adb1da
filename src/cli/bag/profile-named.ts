import { readFile } from 'node:fs/promises'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { KNOWN_PROFILES } from '../../proof/bagit/known-profiles.ts'
import { parseProfile, type Profile } from '../../proof/bagit/profile.ts'

/** The profile that `--profile` names, or the file of one. Rejects with `ARGUMENT_INVALID`. */
export async function profileNamed(name: string | undefined): Promise<Profile | undefined> {
  if (name === undefined) return undefined
  const known = KNOWN_PROFILES.get(name)
  if (known) return known
  const text = await readFile(name, 'utf8').catch((error: unknown) => {
    const why = systemCode(error) === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${messageOf(error)}`
    const names = [...KNOWN_PROFILES.keys()].join(', ')
    const message = `--profile ${name} is none of ${names}, and ${why}.`
    throw new DataferryError('ARGUMENT_INVALID', message)
  })
  return parseProfile(text, name)
}
