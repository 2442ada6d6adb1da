import { z } from 'zod'
import { mapInOrder } from '../../../async/map-in-order.ts'
import { ExternalSort } from '../../../batch/external-sort.ts'
import { parseJson } from '../../../json/parse-json.ts'
import { translated } from '../../disk-errors.ts'
import { wholeFile, type Tree, type TreeEntry } from '../../tree.ts'
import { declarationText } from '../inventory.ts'
import { layoutOf } from '../layout.ts'
import type { TreeReading } from './check-content.ts'
import { findingOf, quoted, REGISTERED, strangeEntry, type OcflFinding, type OcflRelease } from './codes.ts'
import { entrySchema, findObjects, orderOf, type Found, type Surroundings } from './find-objects.ts'
import { validateObject, type ValidatedObject } from './validate-object.ts'

export type OcflKind = 'root' | 'object'

export interface OcflOptions extends TreeReading {
  readonly kind: OcflKind
  readonly onListed: (size: number) => void
  readonly onAllListed: () => void
  /** Called with what is wrong, and with each object once it is judged. */
  readonly onFinding: (finding: OcflFinding) => void
  readonly onObject: (object: Omit<ValidatedObject, 'findings'>) => void
}

/** Objects that are validated at the same time: each is held in memory. */
const OBJECTS_AT_ONCE = 4
/** Bytes of a declaration, and of a description of the layout. */
const LONGEST = 1 << 20

/** Also versions that do not exist yet, to say so. */
const LOOKED_FOR = ['1.0', '1.1', '1.2', '2.0']

/**
 * Whether a place is a storage root or an object, by its declaration, or by what else they have; undefined: neither.
 * @param has whether a file is there
 */
export async function ocflKind(has: (path: string) => Promise<boolean>): Promise<OcflKind | undefined> {
  const any = async (...names: readonly string[]): Promise<boolean> =>
    (await Promise.all(names.map((name) => has(name)))).includes(true)
  const isRoot = any('ocfl_layout.json', ...LOOKED_FOR.map((release) => `0=ocfl_${release}`))
  const declared = any(...LOOKED_FOR.map((release) => `0=ocfl_object_${release}`))
  const digest = any('inventory.json.sha512', 'inventory.json.sha256')
  const isObject = (await declared) || (await digest)
  return (await isRoot) ? 'root' : isObject ? 'object' : undefined
}

/**
 * Validates a storage root or an object of OCFL 1.0 or 1.1, whoever wrote it. Memory is flat in the number of objects.
 * Rejects with `TEMP_UNUSABLE` and `SINK_…` codes.
 */
export async function validateOcfl(options: OcflOptions): Promise<void> {
  await using entries = new ExternalSort<TreeEntry>(entrySchema)
  await translated('list what is there', async () => {
    for await (const entry of options.tree.list()) {
      options.signal.throwIfAborted()
      // Records of dataferry are in no object.
      if (entry.path.startsWith('.dataferry/')) continue
      options.onListed(entry.size)
      await entries.add(orderOf(entry), entry)
    }
  })
  options.onAllListed()
  await (options.kind === 'root' ? validateRoot(entries, options) : validateAlone(entries, options))
}

async function validateAlone(entries: ExternalSort<TreeEntry>, options: OcflOptions): Promise<void> {
  const all: TreeEntry[] = []
  for await (const entry of entries.values()) all.push(entry)
  const { findings, ...object } = await validateObject({ root: '', entries: all }, options)
  for (const finding of findings) options.onFinding(finding)
  options.onObject(object)
}

const placeSchema = z.object({ root: z.string() })

async function validateRoot(entries: ExternalSort<TreeEntry>, options: OcflOptions): Promise<void> {
  const { onFinding } = options
  await using ids = new ExternalSort(placeSchema)
  const root = new RootCheck(options)
  const layout = await root.layout()
  /** Whether there are objects directly in the root, and in folders. */
  const styles = new Set<'direct' | 'deep'>()
  const judge = (found: Found): Promise<ValidatedObject | Surroundings> =>
    found.kind === 'object' ? validateObject(found, options) : Promise.resolve(found)
  for await (const one of mapInOrder(findObjects(entries), { concurrency: OBJECTS_AT_ONCE, ahead: 8 }, judge)) {
    if ('kind' in one) {
      root.surroundings(one)
      continue
    }
    const { findings, ...object } = one
    for (const finding of findings) onFinding(finding)
    root.object(object, layout)
    styles.add(object.root.includes('/') ? 'deep' : 'direct')
    if (object.id !== undefined) await ids.add(object.id, { root: object.root })
    options.onObject(object)
  }
  await root.declarations()
  if (styles.size > 1) onFinding(findingOf('W015', ''))
  for await (const { key, values } of ids.groups()) {
    for (const { root: place } of values.slice(1)) {
      onFinding(findingOf('E083', place, `${quoted(key)} is in ${values[0]?.root ?? ''}, too`))
    }
  }
}

/** Where the object of an id is to be, if that is known. */
type PathOf = ((id: string) => string) | undefined

/** A storage root, apart from its objects. */
class RootCheck {
  readonly #tree: Tree
  readonly #onFinding: OcflOptions['onFinding']
  readonly #declarations: string[] = []
  readonly #extensions = new Set<string>()

  constructor({ tree, onFinding }: OcflOptions) {
    this.#tree = tree
    this.#onFinding = onFinding
  }

  surroundings({ kind, entry }: Surroundings): void {
    const { path } = entry
    const strange = strangeEntry(entry, path)
    if (strange) this.#onFinding(strange)
    else if (kind === 'stray') this.#tell(entry.kind === 'empty' ? 'E073' : 'E072', path)
    else if (kind === 'extension') this.#extension(entry)
    else if (entry.kind === 'empty' && path !== 'extensions') this.#tell('E073', path)
    else if (/^0=ocfl_\d/.test(path)) this.#declarations.push(path)
  }

  object({ id, release, root }: Omit<ValidatedObject, 'findings'>, pathOf: PathOf): void {
    if (release !== undefined && this.#release < release) this.#tell('E081', root, `it is of ${release}`)
    if (id === undefined || !pathOf) return
    const place = pathOf(id)
    if (place !== root) this.#tell('W014', root, `${quoted(id)} is expected in ${place}`)
  }

  #release: OcflRelease = '1.1'

  async layout(): Promise<PathOf> {
    for (const release of ['1.0', '1.1'] as const) {
      if ((await this.#text(`0=ocfl_${release}`)) !== undefined) this.#release = release
    }
    const text = await this.#text('ocfl_layout.json')
    if (text === undefined) return undefined
    const { data: named } = layoutSchema.safeParse(parseJson(text))
    if (!named) {
      this.#tell('E070', 'ocfl_layout.json')
      return undefined
    }
    const { extension } = named
    if (!REGISTERED.has(extension)) {
      this.#tell('E071', 'ocfl_layout.json', quoted(extension))
      return undefined
    }
    const pathOf = extension === '0002-flat-direct-storage-layout' ? (id: string) => id : await this.#known(extension)
    if (!pathOf) {
      const isKnown = layoutOf({ extensionName: extension }) !== undefined
      const why = isKnown ? `whose config.json is not as the extension says` : 'which dataferry does not know'
      const message = `Places of objects are not compared with the layout ${extension}, ${why}.`
      this.#onFinding({ level: 'note', path: 'ocfl_layout.json', message })
    }
    return pathOf
  }

  async #known(extension: string): Promise<PathOf> {
    const text = await this.#text(`extensions/${extension}/config.json`)
    // Without a file the defaults of the extension count.
    return layoutOf(text === undefined ? { extensionName: extension } : parseJson(text))?.pathOf
  }

  async declarations(): Promise<void> {
    if (this.#declarations.length > 1) this.#tell('E076', '', this.#declarations.join(' and '))
    if (this.#declarations.length === 0) this.#tell('E069', '')
    for (const name of this.#declarations) {
      if (!/^0=ocfl_1\.[01]$/.test(name)) this.#tell('E079', name)
      if ((await this.#text(name)) !== declarationText(name)) this.#tell('E080', name)
    }
  }

  /** A small file; '': it is longer than it may be, undefined: it is not there. */
  async #text(path: string): Promise<string | undefined> {
    const chunks = await this.#tree.read(path)
    return chunks && ((await wholeFile(chunks, LONGEST))?.toString('utf8') ?? '')
  }

  #extension({ path, kind }: TreeEntry): void {
    const [, name = '', ...rest] = path.split('/')
    if (rest.length === 0 && kind === 'file') this.#tell(this.#release === '1.0' ? 'E086' : 'E112', path)
    else if (!this.#extensions.has(name)) {
      this.#extensions.add(name)
      const at = `extensions/${name}`
      if (name.startsWith('dataferry-')) {
        const message =
          'dataferry is writing a version, or was stopped: the next command that writes here puts this right.'
        this.#onFinding({ level: 'note', path: at, message })
      } else if (this.#release !== '1.0' && !REGISTERED.has(name)) this.#tell('W016', at)
    }
  }

  #tell(...args: Parameters<typeof findingOf>): void {
    this.#onFinding(findingOf(...args))
  }
}

const layoutSchema = z.object({ extension: z.string(), description: z.string() })
