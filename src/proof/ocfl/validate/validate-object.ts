import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { messageOf, systemCode } from '../../../errors.ts'
import { wholeFile, type TreeEntry } from '../../tree.ts'
import { versionNumber } from '../inventory.ts'
import { checkContent, type TreeReading } from './check-content.ts'
import {
  findingOf,
  FIXITY,
  quoted,
  strangeEntry,
  type OcflCode,
  type OcflFinding,
  type OcflRelease,
  type Tell,
} from './codes.ts'
import { ExpectedContent } from './expected-content.ts'
import { readSaid, type Said } from './inventory-text.ts'
import { sortFiles, type ObjectFiles, type VersionFiles } from './object-files.ts'
import { differsIn } from './same-state.ts'

export interface FoundObject {
  /** Where it is in the tree; '': all of it is the object. */
  readonly root: string
  /** What is in it, by its path in the tree. */
  readonly entries: readonly TreeEntry[]
}

export interface ValidatedObject {
  readonly root: string
  readonly id: string | undefined
  readonly release: OcflRelease | undefined
  readonly versions: number
  /** All that is in its folder: files, and their bytes. */
  readonly all: { readonly files: number; readonly bytes: number }
  /** Of its content. */
  readonly files: number
  readonly bytes: number
  readonly findings: readonly OcflFinding[]
}

/** Bytes of a declaration or a digest, and of an inventory. */
const LONGEST_LINE = 4_096
const LONGEST_INVENTORY = 128 << 20
const INVENTORY = 'inventory.json'

/** Validates an object of OCFL 1.0 or 1.1, whoever wrote it. What is held is its inventories and the names of its files. */
export async function validateObject(object: FoundObject, reading: TreeReading): Promise<ValidatedObject> {
  return await new ObjectValidation(object, reading).run()
}

class ObjectValidation {
  readonly #root: string
  readonly #entries: readonly TreeEntry[]
  readonly #reading: TreeReading
  readonly #findings: OcflFinding[] = []
  readonly #expected = new ExpectedContent()
  readonly #read = { files: 0, bytes: 0 }

  constructor({ root, entries }: FoundObject, reading: TreeReading) {
    this.#root = root
    this.#entries = entries
    this.#reading = reading
  }

  async run(): Promise<ValidatedObject> {
    const within = this.#root === '' ? 0 : this.#root.length + 1
    const entries = this.#entries.map((entry) => ({ ...entry, path: entry.path.slice(within) }))
    for (const entry of entries) {
      const strange = strangeEntry(entry, this.#place(entry.path))
      if (strange) this.#findings.push(strange)
    }
    const files = sortFiles(entries, this.#tell)
    const declared = await this.#declaration(files)
    const release = declared ?? '1.1'
    const current = await this.#current(files, release)
    if (current) {
      await this.#versions(files, current, release)
      this.#compareFiles(files, current.said, INVENTORY)
      await this.#contents(files)
    }
    const { size: versions } = files.versions
    const all = { files: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) }
    const counts = { versions, all, ...this.#read }
    const findings = this.#findings
    return { root: this.#root, id: current?.said.id, release: declared, ...counts, findings }
  }

  readonly #tell: Tell = (code, path, detail) => {
    this.#findings.push(findingOf(code, this.#place(path), detail))
  }

  #place(path: string): string {
    return this.#root === '' || path === '' ? this.#root + path : `${this.#root}/${path}`
  }

  async #declaration({ declarations }: ObjectFiles): Promise<OcflRelease | undefined> {
    const [name, other] = declarations
    if (name === undefined || other !== undefined) {
      this.#tell('E003', '', name === undefined ? undefined : `it has ${declarations.join(' and ')}`)
    }
    if (name === undefined) return undefined
    const [, release] = /^0=ocfl_object_(1\.[01])$/.exec(name) ?? []
    if (release !== '1.0' && release !== '1.1') this.#tell(name.startsWith('0=') ? 'E006' : 'E005', name)
    const text = (await this.#whole(name, LONGEST_LINE))?.toString('utf8')
    if (text !== `${name.slice(name.indexOf('=') + 1)}\n`) this.#tell('E007', name)
    return release === '1.0' || release === '1.1' ? release : undefined
  }

  /** The inventory of the object. */
  async #current(
    { declarations, files, versions }: ObjectFiles,
    release: OcflRelease,
  ): Promise<{ readonly bytes: Buffer; readonly said: Said } | undefined> {
    if (versions.size === 0) this.#tell('E008', '')
    const bytes = files.has(INVENTORY) ? await this.#whole(INVENTORY, LONGEST_INVENTORY) : undefined
    if (!files.has(INVENTORY)) this.#tell('E063', '')
    const said = bytes && readSaid(bytes, release, INVENTORY, this.#tell)
    for (const name of files) if (!isOwn(name, said?.algorithm)) this.#tell('E001', name)
    if (!bytes || !said) return undefined
    if (said.release !== undefined && declarations.length > 0 && said.release !== release) {
      this.#tell('E038', INVENTORY, `its type is of ${said.release}, and the object of ${release}`)
    }
    await this.#sidecar('', files, bytes, said)
    const named = [...said.versions.keys()]
    for (const name of named)
      if (!versions.has(name)) this.#tell('E046', INVENTORY, `there is no folder ${quoted(name)}`)
    for (const name of versions.keys()) {
      if (!said.versions.has(name)) this.#tell('E046', INVENTORY, `the folder ${name} is not in it`)
    }
    this.#expected.add(said, INVENTORY)
    return { bytes, said }
  }

  /** The file beside an inventory that has its digest. */
  async #sidecar(folder: string, files: ReadonlySet<string>, inventory: Buffer, { algorithm }: Said): Promise<void> {
    // That it is missing is told.
    if (algorithm === undefined) return
    const at = folder === '' ? '' : `${folder}/`
    const name = `${INVENTORY}.${algorithm}`
    if (!files.has(name)) {
      const isOther = [...files].some((one) => one.startsWith(`${INVENTORY}.`))
      this.#tell(isOther ? 'E059' : 'E058', `${at}${INVENTORY}`)
      return
    }
    const text = (await this.#whole(at + name, LONGEST_LINE))?.toString('utf8') ?? ''
    const [, digest] = /^([0-9a-fA-F]{1,1024})[ \t]+inventory\.json\s{0,9}$/.exec(text) ?? []
    if (digest === undefined) {
      this.#tell('E061', at + name)
      return
    }
    const native = FIXITY.get(algorithm)
    if (native === undefined) return
    const found = createHash(native).update(inventory).digest('hex')
    if (found !== digest.toLowerCase()) this.#tell('E060', at + name, `${algorithm} is ${found}`)
  }

  /** The folders of versions, and their inventories, each compared with that of the object. */
  async #versions(
    files: ObjectFiles,
    current: { readonly bytes: Buffer; readonly said: Said },
    release: OcflRelease,
  ): Promise<void> {
    const contentDirectory = current.said.contentDirectory ?? 'content'
    const { versions } = files
    const newest = [...versions.keys()].at(-1)
    let before: OcflRelease = '1.0'
    for (const [name, version] of versions) {
      this.#reading.signal.throwIfAborted()
      this.#folder(name, version, contentDirectory)
      if (!version.files.has(INVENTORY)) {
        this.#tell('W010', name)
        continue
      }
      const path = `${name}/${INVENTORY}`
      const bytes = await this.#whole(path, LONGEST_INVENTORY)
      if (!bytes) continue
      const isCurrent = bytes.equals(current.bytes)
      if (name === newest && !isCurrent) this.#tell('E064', path)
      const tell: Tell = (code, at, detail) => {
        if (isToldOfVersions(code, current.said)) this.#tell(code, at, detail)
      }
      const said = isCurrent ? current.said : readSaid(bytes, release, path, tell)
      if (!said) continue
      await this.#sidecar(name, version.files, bytes, said)
      if (said.release !== undefined && said.release < before && release !== '1.0') {
        this.#tell('E103', path, `${name} is of ${said.release}, and the version before it of ${before}`)
      }
      before = said.release ?? before
      if (said.head !== undefined && said.head !== name) this.#tell('E040', path, `head is ${quoted(said.head)}`)
      if (isCurrent) continue
      this.#compare(name, path, said, current.said)
      this.#compareFiles(files, said, path, versionNumber(name))
    }
  }

  /** What is in the folder of a version, apart from its content. */
  #folder(name: string, { files, folders, empty }: VersionFiles, contentDirectory: string): void {
    const content = `${name}/${contentDirectory}`
    for (const file of files) if (!isInventoryFile(file)) this.#tell('E015', `${name}/${file}`)
    for (const folder of folders)
      if (!`${content}/`.startsWith(`${name}/${folder}/`)) this.#tell('W002', `${name}/${folder}`)
    for (const path of empty) {
      if (path === content) this.#tell('W003', path)
      else if (path.startsWith(`${content}/`)) this.#tell('E024', path)
    }
  }

  /** An earlier inventory with that of the object. */
  #compare(name: string, path: string, said: Said, current: Said): void {
    if (said.id !== undefined && said.id !== current.id) this.#tell('E037', path, `id is ${quoted(said.id)}`)
    const [was, is] = [said.contentDirectory ?? 'content', current.contentDirectory ?? 'content']
    if (was !== is)
      this.#tell(versionNumber(name) === 1 ? 'E019' : 'E020', path, `${quoted(was)}, and now ${quoted(is)}`)
    for (const [version, { created, message, user }] of said.versions) {
      const now = current.versions.get(version)
      const differing = now ? differsIn(version, said, current) : ''
      if (differing !== undefined) {
        this.#tell('E066', path, now ? `${version} differs in ${quoted(differing)}` : `${version} is gone`)
      }
      if (now && !isDeepStrictEqual([created, message, user], [now.created, now.message, now.user])) {
        this.#tell('W011', path, version)
      }
    }
    this.#expected.add(said, path)
  }

  /** Files of the content that the manifest lacks. An earlier inventory knows the versions up to its own. */
  #compareFiles({ sizes }: ObjectFiles, said: Said, path: string, upTo = Infinity): void {
    const known = new Set([...said.manifest.values()].flat())
    const content = `/${said.contentDirectory ?? 'content'}/`
    for (const file of sizes.keys()) {
      const slash = file.indexOf('/')
      if (versionNumber(file.slice(0, slash)) > upTo || !file.startsWith(content, slash)) continue
      if (!known.has(file)) this.#tell('E023', file, `${path} lacks it`)
    }
  }

  async #contents({ sizes }: ObjectFiles): Promise<void> {
    const { algorithms, findings, files, bytes } = await checkContent(this.#expected, sizes, {
      ...this.#reading,
      place: (path) => this.#place(path),
    })
    this.#read.files = files
    this.#read.bytes = bytes
    for (const finding of findings) this.#findings.push(finding)
    for (const algorithm of algorithms) {
      this.#findings.push({
        level: 'note',
        path: this.#place(INVENTORY),
        message: `Fixity by ${algorithm} was not checked: dataferry does not know how.`,
      })
    }
  }

  /** A small file; tells when it is none. */
  async #whole(path: string, most: number): Promise<Buffer | undefined> {
    const place = this.#place(path)
    const tell = (message: string): void => void this.#findings.push({ level: 'error', path: place, message })
    try {
      const chunks = await this.#reading.tree.read(place)
      const bytes = chunks && (await wholeFile(chunks, most))
      if (!bytes) tell(chunks ? `It is not read: it has more than ${most} bytes.` : 'It cannot be read.')
      return bytes
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      tell(`It cannot be read: ${messageOf(error)}.`)
      return undefined
    }
  }
}

function isInventoryFile(name: string): boolean {
  return name === INVENTORY || name.startsWith(`${INVENTORY}.`)
}

/** Whether a file may be in the folder of an object. */
function isOwn(name: string, algorithm: string | undefined): boolean {
  if (name === INVENTORY || name.includes('=ocfl_object_')) return true
  return algorithm === undefined ? isInventoryFile(name) : name === `${INVENTORY}.${algorithm}`
}

/** What should be otherwise in an earlier inventory is told once, of that of the object. */
function isToldOfVersions(code: OcflCode, { algorithm }: Said): boolean {
  return code.startsWith('E') || (code === 'W004' && algorithm === 'sha512')
}
