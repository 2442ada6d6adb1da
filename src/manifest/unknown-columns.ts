import { editDistance } from '../model/nearest.ts'
import { badLine, quoted } from './bad-line.ts'
import { KNOWN, plainName } from './columns.ts'

/**
 * Names that known tools write beside those that say what to fetch: passed over in silence. Of ours `code` and `message`;
 * `state` of GDC manifests; the members of Dataverse's own file descriptions, as people flatten them.
 */
export const FAMILIAR: ReadonlySet<string> = new Set([
  ...['code', 'message', 'state', 'status', 'description', 'title', 'citation', 'publisher', 'embargo', 'retention'],
  ...['restricted', 'categories', 'tags', 'contenttype', 'mimetype', 'friendlytype', 'storageidentifier', 'pidurl'],
  ...['datasetversionid', 'rootdatafileid', 'previousdatafileid', 'tabulardata', 'tabulartags', 'unf', 'creationdate'],
  ...['publicationdate', 'lastupdatetime', 'fileaccessrequest', 'originalfileformat', 'originalformatlabel'],
  ...['originalfilesize', 'originalfilename'],
])

/** How many names are remembered, so that a table with endless columns takes no memory. */
const KEPT = 1_000
const SHOWN = 20

/** Unknown columns of a table, or members of objects: misspelt ones are refused, the others reported once. */
export class UnknownColumns {
  readonly #ignore: boolean
  /** Names that were found harmless; true: to be reported. */
  readonly #judged = new Map<string, boolean>()

  /** @param ignore whether misspelt names are accepted */
  constructor(ignore: boolean) {
    this.#ignore = ignore
  }

  /** Judges a name without a role. Throws a bad line when it looks misspelt. */
  check(name: string): void {
    if (this.#judged.has(name)) return
    const plain = plainName(name)
    const familiar = FAMILIAR.has(plain) || name === ''
    const meant = familiar || this.#ignore ? undefined : misspelt(plain)
    if (meant !== undefined) {
      throw badLine(`there is no column ${quoted(name)}: did you mean ${meant}? If not, use --ignore-columns`)
    }
    if (this.#judged.size < KEPT) this.#judged.set(name, !familiar)
  }

  /** The notice for all of them; undefined: none. */
  get notice(): string | undefined {
    const names = [...this.#judged].flatMap(([name, told]) => (told ? [quoted(name)] : []))
    if (names.length === 0) return undefined
    const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''
    return `columns not used: ${names.slice(0, SHOWN).join(', ')}${more}`
  }
}

/**
 * The known name that was probably meant: at most two letters differ, one in a name of four or five letters, and in shorter
 * ones none, since `note` and `date` are words of their own beside `name`.
 */
function misspelt(plain: string): string | undefined {
  return [...KNOWN.keys()].find((known) => editDistance(plain, known) <= allowedEdits(known))
}

function allowedEdits(known: string): number {
  if (known.length < 4) return 0
  return known.length < 6 ? 1 : 2
}
