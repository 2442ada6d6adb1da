import { HARMLESS } from '../src/manifest/address-parameters.ts'
import { KNOWN, type Role } from '../src/manifest/columns.ts'
import { ADDRESSES, GENERATED } from '../src/manifest/dataverse-url.ts'
import { JSON_FORMS } from '../src/manifest/json-forms.ts'
import { MANIFEST_FORMS } from '../src/manifest/manifest-forms.ts'
import { REFUSED_FORMS } from '../src/manifest/refused-forms.ts'
import { FAMILIAR } from '../src/manifest/unknown-columns.ts'
import { code, NOTICE, page, table } from './markdown.ts'

/** What each column says. */
const MEANINGS: Readonly<Record<Role, string>> = {
  id: 'what to fetch: a number is a file, a PID a dataset or a file, a URL what it names',
  ids: 'files to fetch as one ZIP, separated by spaces',
  file: 'a file',
  pid: 'a dataset or a file, by its PID',
  dataset: 'a dataset; beside a file, only where the row came from',
  url: 'the URL of a page, an API call or a PID',
  version:
    '`2.0`, `:latest`, `:latest-published` or `:draft`; for a file it decides its name, and the file must be in it',
  path: 'for a dataset: its folder; for a file: its path, or its folder if it ends in `/`',
  directory: 'the folder of a file',
  name: 'the name of a file',
  md5: 'the checksum you expect; planning refuses one that contradicts the server’s listing',
  sha1: 'the same',
  sha256: 'the same',
  sha512: 'the same',
  checksum: 'the same, as `MD5:…`, or bare if its length shows the algorithm',
  checksumtype: 'the algorithm of a bare `checksum`',
  size: 'in bytes, checked as the checksum is',
  format: '`original` or `archival`, for tabular files',
  server: 'one of the servers you named',
  kind: '`file`, `dataset`, `zip`, `dataset-zip`, `bundle` or `collection`, where the id leaves it open',
}

/** `docs/manifests.md`: everything that is read, from the tables that read it. */
export function manifestsPage(): string {
  const taken = JSON_FORMS.filter((form) => form.taken !== undefined)
  const refused = JSON_FORMS.filter((form) => form.taken === undefined)
  return page([
    '# What a manifest can be',
    NOTICE,
    'The form is detected by name and content; every bad line is reported with its number before anything is fetched. A restriction is respected or refused by name, and nothing is read as something other than it is. Only servers given with `--server`, in the environment or in the config file are contacted: a URL elsewhere is a bad line. UTF-8 is read with or without a byte order mark, UTF-16 with one.',
    '## Forms',
    table(
      ['Form', 'Looks like', 'What is read'],
      Object.values(MANIFEST_FORMS).map(({ name, looks, taken: what }) => [name, looks, what]),
    ),
    'Files that are often mistaken for manifests are refused with one sentence:',
    table(
      ['It is …', 'Do this'],
      REFUSED_FORMS.map(({ what, instead }) => [what, instead]),
    ),
    '## Columns, and names in JSON',
    'In any case and order; spaces, `-` and `_` in a name are ignored.',
    table(['Names', 'Meaning'], columnRows()),
    'A name that differs from one of these in at most two letters (one in a name of four or five letters, none in a shorter one) is refused with the name that was probably meant; `--ignore-columns` accepts it as a column of your own. Other columns are reported once and not used. Those that known tools write are passed over in silence:',
    list([[...FAMILIAR].map(code).join(', ')]),
    '## JSON',
    'An object is recognised before any column is looked for, by the first of these that fits. It may be alone, in an array, in `data` or `data.items` of an answer, in `files` of a version, dataset or export, in `distribution` or in `ore:aggregates`; with or without the envelope that servers put around it. Rows of your own may be alone or in an array, never within a server’s response.',
    table(
      ['Object', 'What is fetched'],
      taken.map(({ what, taken: fetched = '' }) => [what, fetched]),
    ),
    'Objects that name nothing to fetch are refused by name:',
    list(byKind(refused.map(({ what }) => what))),
    'A text may have 1 Mi characters, an object 4 Mi, and objects and lists may be nested 100 deep; the length of lists is not limited. Of equal names in one object the last one counts, but a list must not occur twice. A response must name its dataset and version before its files, as servers do.',
    '## URLs',
    'Below the URL of a server you named. A parameter that is neither supported nor harmless is refused by name.',
    table(
      ['URL', 'Supported parameters'],
      ADDRESSES.filter(({ refused }) => !refused).map(({ example, obeys }) => [
        code(example),
        obeys
          .filter((name) => !GENERATED.includes(name))
          .map(code)
          .join(', '),
      ]),
    ),
    `Content that a server generates on demand (${GENERATED.map(code).join(', ')}) is refused, as a batch fetches whole files; \`dataferry get\` fetches it.`,
    'Harmless, and ignored:',
    list(Object.entries(HARMLESS).map(([what, names]) => `${what}: ${names.map(code).join(', ')}`)),
  ])
}

function columnRows(): readonly (readonly string[])[] {
  const names = new Map<Role, string[]>()
  for (const [name, role] of KNOWN) names.set(role, [...(names.get(role) ?? []), name])
  return [...names].map(([role, spellings]) => [spellings.map(code).join(', '), MEANINGS[role]])
}

/** `a user (x)` and `a user (y)` → `a user (x; y)`. */
function byKind(forms: readonly string[]): readonly string[] {
  const members = new Map<string, string[]>()
  for (const form of forms) {
    const [, kind = form, names = ''] = /^(.*) \((.*)\)$/.exec(form) ?? []
    members.set(kind, [...(members.get(kind) ?? []), names])
  }
  return [...members].map(([kind, names]) => `${kind} (${names.join('; ')})`)
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n')
}
