import { DataferryError } from '../../errors.ts'
import { ALGORITHMS, type Algorithm } from '../../model/checksum.ts'
import type { BagOptions } from '../../proof/bagit/prepare-bag.ts'
import { oneLine, type TagField } from '../../proof/bagit/tag-file.ts'
import type { Context } from '../command.ts'
import { profileNamed } from './profile-named.ts'

/** What the flags of `dataferry bag` say of the bags themselves. */
export type BagFlags = Pick<BagOptions, 'profile' | 'algorithms' | 'info' | 'allowMissing'> & {
  /** Whether an RO-Crate in the payload describes it. */
  readonly crate: boolean
}

/** Reads the flags. Rejects with `ARGUMENT_INVALID`. */
export async function readBagFlags(context: Context): Promise<BagFlags> {
  const { has, text, texts } = context
  const algorithms = texts('algorithm')
    .flatMap((one) => one.split(','))
    .map(algorithmOf)
  const info = texts('info').map(fieldOf)
  return {
    profile: await profileNamed(text('profile')),
    algorithms: algorithms.length > 0 ? [...new Set(algorithms)] : undefined,
    info: [...info, ...configured(context, info)],
    allowMissing: has('allow-missing'),
    crate: has('crate'),
  }
}

function algorithmOf(text: string): Algorithm {
  const algorithm = ALGORITHMS.find((one) => one === text.trim().toLowerCase().replace('-', ''))
  if (algorithm) return algorithm
  throw new DataferryError('ARGUMENT_INVALID', `--algorithm ${text} is none of ${ALGORITHMS.join(', ')}.`)
}

function fieldOf(text: string): TagField {
  const [, label = '', value = ''] = /^([^:]{1,200}):(.*)$/s.exec(text) ?? []
  if (oneLine(label) !== '' && oneLine(value) !== '') return [oneLine(label), oneLine(value)]
  const shown = JSON.stringify(text.slice(0, 80))
  throw new DataferryError('ARGUMENT_INVALID', `--info ${shown} is no field: give it as "Contact-Name: Ada Lovelace".`)
}

/** Fields from the settings, but for those that were given. */
function configured({ config }: Context, given: readonly TagField[]): readonly TagField[] {
  const { sourceOrganization, organizationAddress, organizationEmail, contactName, contactEmail } = config.settings
  const fields: readonly (readonly [label: string, value: string | undefined])[] = [
    ['Source-Organization', sourceOrganization],
    ['Organization-Address', organizationAddress],
    ['Organization-Email', organizationEmail],
    ['Contact-Name', contactName],
    ['Contact-Email', contactEmail],
  ]
  const known = new Set(given.map(([label]) => label.toLowerCase()))
  return fields.flatMap(([label, value]): TagField[] =>
    value === undefined || known.has(label.toLowerCase()) ? [] : [[label, value]],
  )
}
