import { versionNumber } from '../inventory.ts'
import { FIXITY, quoted, type OcflRelease, type Tell } from './codes.ts'
import { claimPaths, pathFaults } from './paths.ts'
import { checkNumbering } from './numbering.ts'

/** Paths by digest, as an inventory writes them. */
export type Digested = ReadonlyMap<string, readonly string[]>

/** What an inventory says; what is not as it must be is left out. */
export interface Said {
  readonly id: string | undefined
  readonly release: OcflRelease | undefined
  /** Also one that must not be used. */
  readonly algorithm: string | undefined
  readonly head: string | undefined
  /** Undefined: not set. */
  readonly contentDirectory: string | undefined
  readonly manifest: Digested
  /** By algorithm. */
  readonly fixity: ReadonlyMap<string, Digested>
  readonly versions: ReadonlyMap<string, SaidVersion>
}

interface SaidVersion {
  readonly created: unknown
  readonly message: unknown
  readonly user: unknown
  readonly state: Digested
}

type Json = Readonly<Record<string, unknown>>

const KEYS = ['id', 'type', 'digestAlgorithm', 'head', 'contentDirectory', 'manifest', 'versions', 'fixity']
const VERSION_KEYS = ['created', 'state', 'message', 'user']
const USER_KEYS = ['name', 'address']
/** Characters of an id. The specification has no bound; nobody has such ids. */
const LONGEST_ID = 4_096
const HEX_LENGTH: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 }
const VERSION_NAME = /^v0*[1-9]\d{0,8}$/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/

/**
 * Reads an inventory of any program, and tells every rule that it breaks by itself.
 * @param release of the object
 * @param path where it is
 * @returns undefined for what is no JSON object
 */
export function readSaid(bytes: Uint8Array, release: OcflRelease, path: string, tellAt: Tell): Said | undefined {
  const json = jsonOf(bytes)
  if (!isObject(json)) {
    tellAt('E033', path)
    return undefined
  }
  return new InventoryText(json, release, (code, detail) => tellAt(code, path, detail)).read()
}

type TellHere = (code: Parameters<Tell>[0], detail?: string) => void

class InventoryText {
  readonly #json: Json
  readonly #release: OcflRelease
  readonly #tell: TellHere

  constructor(json: Json, release: OcflRelease, tell: TellHere) {
    this.#json = json
    this.#release = release
    this.#tell = tell
  }

  read(): Said {
    this.#unknownKeys(this.#json, KEYS)
    for (const key of ['id', 'type', 'digestAlgorithm', 'head']) {
      if (!Object.hasOwn(this.#json, key)) this.#tell('E036', `${key} is missing`)
    }
    const algorithm = this.#algorithm()
    const contentDirectory = this.#contentDirectory()
    const names = Object.keys(isObject(this.#json['versions']) ? this.#json['versions'] : {})
    const manifest = this.#manifest(algorithm, names, contentDirectory ?? 'content')
    const versions = this.#versions(manifest)
    const said = { id: this.#id(), release: this.#type(), algorithm, head: this.#head(names), contentDirectory }
    if (this.#release !== '1.0') this.#unused(manifest, versions)
    return { ...said, manifest, versions, fixity: this.#fixity(manifest) }
  }

  #unknownKeys(json: Json, known: readonly string[]): void {
    for (const key of Object.keys(json)) if (!known.includes(key)) this.#tell('E102', quoted(key))
  }

  #id(): string | undefined {
    const { id } = this.#json
    if (id === undefined) return undefined
    if (typeof id !== 'string' || id === '') this.#tell('E037', `id is ${quoted(id)}`)
    else if (id.length > LONGEST_ID) {
      this.#tell('E037', `it has more than ${LONGEST_ID} characters`)
      return undefined
    } else if (!URI.test(id)) this.#tell('W005', `id is ${quoted(id)}`)
    return typeof id === 'string' ? id : undefined
  }

  #type(): OcflRelease | undefined {
    const { type } = this.#json
    if (type === undefined) return undefined
    const [, release] =
      /^https:\/\/ocfl\.io\/(\d\.\d)\/spec\/#inventory$/.exec(typeof type === 'string' ? type.slice(0, 100) : '') ?? []
    if (release === '1.0' || release === '1.1') return release
    this.#tell('E038', `type is ${quoted(type)}`)
    return undefined
  }

  #algorithm(): string | undefined {
    const { digestAlgorithm: algorithm } = this.#json
    if (algorithm === undefined) return undefined
    if (algorithm === 'sha256') this.#tell('W004', 'it is sha256')
    else if (algorithm !== 'sha512') this.#tell('E025', `digestAlgorithm is ${quoted(algorithm)}`)
    return typeof algorithm === 'string' && algorithm.length < 20 ? algorithm : undefined
  }

  #head(versions: readonly string[]): string | undefined {
    const { head } = this.#json
    if (head === undefined) return undefined
    const newest = versions
      .filter((name) => VERSION_NAME.test(name))
      .toSorted((a, b) => versionNumber(a) - versionNumber(b))
    if (head !== newest.at(-1)) {
      this.#tell('E040', `head is ${quoted(head)}, and the newest version ${quoted(newest.at(-1) ?? 'none')}`)
    }
    return typeof head === 'string' ? head : undefined
  }

  #contentDirectory(): string | undefined {
    const { contentDirectory: name } = this.#json
    if (name === undefined) return undefined
    if (typeof name !== 'string' || name === '' || name.includes('/')) this.#tell('E017', `it is ${quoted(name)}`)
    else if (name === '.' || name === '..') this.#tell('E018')
    return typeof name === 'string' ? name : undefined
  }

  #manifest(algorithm: string | undefined, versions: readonly string[], contentDirectory: string): Digested {
    const { manifest } = this.#json
    if (manifest === undefined || (!isObject(manifest) && this.#release === '1.0')) this.#tell('E041')
    else if (!isObject(manifest)) this.#tell('E106')
    if (!isObject(manifest)) return new Map()
    const read = this.#digested(manifest, 'E092')
    this.#onceEach(read, 'E096')
    const length = HEX_LENGTH[algorithm ?? '']
    for (const digest of read.keys()) {
      if (length !== undefined && (digest.length !== length || !/^[0-9a-fA-F]*$/.test(digest))) {
        this.#tell('E039', `${quoted(digest)} is no ${algorithm ?? ''}`)
      }
    }
    const roots = versions.map((name) => `${name}/${contentDirectory}/`)
    const paths = [...read.values()].flat()
    for (const path of paths) {
      const isFaulty = this.#contentPath(path)
      if (!isFaulty && !roots.some((root) => path.startsWith(root))) this.#tell('E042', quoted(path))
    }
    claimPaths(paths, (path) => this.#tell('E101', quoted(path)))
    return read
  }

  #versions(manifest: Digested): ReadonlyMap<string, SaidVersion> {
    const { versions } = this.#json
    const read = new Map<string, SaidVersion>()
    if (versions === undefined) this.#tell('E043')
    else if (!isObject(versions)) this.#tell('E044')
    if (!isObject(versions)) return read
    const names = Object.keys(versions)
    if (names.length === 0) this.#tell('E008')
    for (const name of names) if (!VERSION_NAME.test(name)) this.#tell('E046', `${quoted(name)} is no version`)
    checkNumbering(names, (code, detail) => this.#tell(code === 'E011' ? 'E013' : code, detail))
    for (const [name, version] of Object.entries(versions)) {
      if (isObject(version)) read.set(name, this.#version(name, version, manifest))
      else this.#tell('E047', name)
    }
    return read
  }

  #version(name: string, json: Json, manifest: Digested): SaidVersion {
    const { created, state, message, user } = json
    this.#unknownKeys(json, VERSION_KEYS)
    for (const key of ['created', 'state']) {
      if (!Object.hasOwn(json, key)) this.#tell('E048', `${key} of ${name} is missing`)
    }
    if (created !== undefined && !isTime(created)) this.#tell('E049', `${name} has ${quoted(created)}`)
    if (message !== undefined && typeof message !== 'string') this.#tell('E094', name)
    if (message === undefined || user === undefined) {
      this.#tell('W007', `${name} has no ${message === undefined ? 'message' : 'user'}`)
    }
    if (user !== undefined) this.#user(name, user)
    return { created, message, user, state: state === undefined ? new Map() : this.#state(name, state, manifest) }
  }

  #user(version: string, user: unknown): void {
    const { name, address }: Json = isObject(user) ? user : {}
    if (typeof name !== 'string' || name === '') this.#tell('E054', version)
    if (!isObject(user)) return
    this.#unknownKeys(user, USER_KEYS)
    if (address === undefined) this.#tell('W008', version)
    else if (typeof address !== 'string' || !URI.test(address)) this.#tell('W009', `${version} has ${quoted(address)}`)
  }

  #state(version: string, json: unknown, manifest: Digested): Digested {
    if (!isObject(json)) {
      this.#tell('E050', `the state of ${version} is no JSON object`)
      return new Map()
    }
    const state = this.#digested(json, 'E051')
    for (const digest of state.keys()) {
      if (!manifest.has(digest)) this.#tell('E050', `${version} has ${quoted(digest)}, and the manifest has not`)
    }
    const paths = [...state.values()].flat()
    for (const path of paths) {
      const { edge, part } = pathFaults(path)
      if (edge) this.#tell('E053', `${version} has ${quoted(path)}`)
      if (part) this.#tell('E052', `${version} has ${quoted(path)}`)
    }
    claimPaths(paths, (path) => this.#tell('E095', `${version} has ${quoted(path)}`))
    return state
  }

  #fixity(manifest: Digested): ReadonlyMap<string, Digested> {
    const { fixity } = this.#json
    const read = new Map<string, Digested>()
    if (fixity === undefined) return read
    if (!isObject(fixity)) {
      this.#tell(this.#release === '1.0' ? 'E057' : 'E111')
      return read
    }
    const known = new Set([...manifest.values()].flat())
    for (const [algorithm, block] of Object.entries(fixity)) {
      if (!FIXITY.has(algorithm)) this.#tell('E056', quoted(algorithm))
      if (!isObject(block)) {
        this.#tell('E057', quoted(algorithm))
        continue
      }
      const digested = this.#digested(block, 'E057')
      this.#onceEach(digested, 'E097')
      for (const path of [...digested.values()].flat()) {
        const isFaulty = this.#contentPath(path)
        if (!isFaulty && !known.has(path)) this.#tell('E093', `${algorithm} names ${quoted(path)}, which is not there`)
      }
      if (FIXITY.has(algorithm)) read.set(algorithm, digested)
    }
    return read
  }

  /** @returns whether it is told that the path breaks a rule */
  #contentPath(path: string): boolean {
    const { edge, part } = pathFaults(path)
    if (edge) this.#tell('E100', quoted(path))
    if (part) this.#tell('E099', quoted(path))
    return edge || part
  }

  #digested(json: Json, code: 'E092' | 'E051' | 'E057'): Digested {
    const read = new Map<string, readonly string[]>()
    for (const [digest, paths] of Object.entries(json)) {
      if (isTexts(paths)) read.set(digest, paths)
      else this.#tell(code, `${quoted(digest)} has ${quoted(paths)}`)
    }
    return read
  }

  #onceEach(digested: Digested, code: 'E096' | 'E097'): void {
    const seen = new Set<string>()
    for (const digest of digested.keys()) {
      const lower = digest.toLowerCase()
      if (seen.has(lower)) this.#tell(code, quoted(digest))
      seen.add(lower)
    }
  }

  #unused(manifest: Digested, versions: ReadonlyMap<string, SaidVersion>): void {
    const used = new Set([...versions.values()].flatMap(({ state }) => [...state.keys()]))
    for (const digest of manifest.keys()) if (!used.has(digest)) this.#tell('E107', quoted(digest))
  }
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d|60)(?:\.\d{1,30})?(?:Z|[+-]\d\d:\d\d)$/i

/** @see RFC 3339 §5.6, where a second may be the 61st of its minute */
function isTime(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 64) return false
  const [, minute, second = ''] = TIME.exec(value) ?? []
  return minute !== undefined && !Number.isNaN(Date.parse(`${minute}${second === '60' ? '59' : second}Z`))
}
