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
  id: 'what to fetch: a number is a file, a PID a dataset or a file, an address what it names',
  ids: 'files that come as one ZIP, with blanks between',
  file: 'a file',
  pid: 'a dataset or a file, by its PID',
  dataset: 'a dataset; beside a file, only where the row comes from',
  url: 'the address of a page, of a call of the API or of a PID',
  version: '`2.0`, `:latest`, `:latest-published` or `:draft`; of a file it decides its name, and that it is in there',
  path: 'of a dataset: its folder; of a file: its path, or its folder if it ends in `/`',
  directory: 'the folder of a file',
  name: 'the name of a file',
  md5: 'your own promise of the bytes; one that the server’s listing contradicts is refused when planning',
  sha1: 'the same',
  sha256: 'the same',
  sha512: 'the same',
  checksum: 'the same, as `MD5:…`, or bare where its length tells the algorithm',
  checksumtype: 'the algorithm of a bare `checksum`',
  size: 'bytes, judged as the checksum is',
  format: '`original` or `archival`, for tabular files',
  server: 'one of the servers that you named',
  kind: '`file`, `dataset`, `zip`, `dataset-zip`, `bundle` or `collection`, where the id leaves it open',
}

/** `docs/manifests.md`: everything that is read, from the tables that read it. */
export function manifestsPage(): string {
  const taken = JSON_FORMS.filter((form) => form.taken !== undefined)
  const refused = JSON_FORMS.filter((form) => form.taken === undefined)
  return page([
    '# What a manifest can be',
    NOTICE,
    'The form is told by name and content; each bad line is named with its number before anything is fetched. What narrows is obeyed or refused by name, and nothing is read as something else than it is. Only servers named with `--server`, in the environment or in the config file are asked: an address elsewhere is a bad line. UTF-8 is read with or without byte order mark, and UTF-16 with it.',
    '## Forms',
    table(
      ['Form', 'Looks like', 'What is taken'],
      Object.values(MANIFEST_FORMS).map(({ name, looks, taken: what }) => [name, looks, what]),
    ),
    'What people give for a manifest and is none is refused with one sentence:',
    table(
      ['It is …', 'Then'],
      REFUSED_FORMS.map(({ what, instead }) => [what, instead]),
    ),
    '## Columns, and names in JSON',
    'In any case and order; blanks, `-` and `_` in a name do not count.',
    table(['Names', 'Meaning'], columnRows()),
    'A name that differs from one of these in at most two letters (one in a name of four or five letters, none in a shorter one) is refused with what was probably meant; `--ignore-columns` takes it for a column of your own. Other columns are named once and not used. No word is lost on those that known tools write:',
    list([[...FAMILIAR].map(code).join(', ')]),
    '## JSON',
    'An object is recognised by what it is before any column is looked for, by the first of these that fits. It may stand alone, in an array, in `data` or `data.items` of an answer, in `files` of a version, dataset or export, in `distribution` or in `ore:aggregates`; with or without the envelope that servers put around it. Rows of your own may stand alone or in an array, never within an answer of a server.',
    table(
      ['Object', 'What is fetched'],
      taken.map(({ what, taken: fetched = '' }) => [what, fetched]),
    ),
    'What names nothing to fetch is refused by what it is:',
    list(byKind(refused.map(({ what }) => what))),
    'One text in it has at most 1 Mi characters, one object 4 Mi, and 100 objects and lists may be open at a time; lists have no bound. Of equal names in one object the last one counts, but a list must not come twice. What an answer says of its dataset and version must come before its files, as servers write it.',
    '## Addresses',
    'Below the address of a server that you named. A parameter that is neither obeyed nor harmless is refused by name.',
    table(
      ['Address', 'Parameters that are obeyed'],
      ADDRESSES.filter(({ refused }) => !refused).map(({ example, obeys }) => [
        code(example),
        obeys
          .filter((name) => !GENERATED.includes(name))
          .map(code)
          .join(', '),
      ]),
    ),
    `Content that a server makes on demand (${GENERATED.map(code).join(', ')}) is refused, as a batch fetches whole files; \`dataferry get\` takes it.`,
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
