import { createCipheriv, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { collectionForm, datasetForm } from './forms.ts'
import { eventually, WITH_ID, type Installation, type NewFile } from './installation.ts'

/** A file that the suite made. */
export interface MadeFile extends NewFile {
  readonly id: number
}

export interface MadeDataset {
  readonly id: number
  readonly pid: string
  readonly files: readonly MadeFile[]
}

/** What the suite made, to be looked at and removed. */
export interface World {
  /** Of the collection that holds everything. */
  readonly alias: string
  /** Versions 1.0 (`FIRST`) and 2.0 (those, `SECOND` and `embargoed`), and a draft. `files` are those of 2.0. */
  readonly main: MadeDataset
  /** In a collection of its own within the other. Nobody but the checks of counting fetches its files. */
  readonly counted: MadeDataset
  readonly deaccessioned: MadeDataset
  readonly unpublished: MadeDataset
  /** Undefined where embargoes are off. */
  readonly embargoed: MadeFile | undefined
  /** Behind a guestbook; undefined where none can be made by the API (before 6.10). */
  readonly booked: MadeDataset | undefined
  /** Whether the search index knows all of it. */
  readonly searchable: boolean
  /** What this installation did not let us make, with its words. */
  readonly missing: readonly string[]
}

export const FIRST = {
  hello: { name: 'hello.txt', content: 'Hello, Dataverse!\n', type: 'text/plain' },
  same: { name: 'same.txt', directory: 'a', content: 'a', type: 'text/plain' },
} as const satisfies Record<string, NewFile>

export const SECOND = {
  deep: { name: 'same.txt', directory: 'b/deep', content: 'b', type: 'text/plain' },
  umlaut: { name: 'Übersicht 数据 🐟.txt', directory: 'odd names', content: 'odd', type: 'text/plain' },
  signs: { name: "100% a+b & c=d, (it's) [1] {2} ~$@!^.txt", directory: 'odd names', content: 'signs' },
  /** A name that some systems keep for themselves. */
  device: { name: 'CON.txt', directory: 'odd names', content: 'device' },
  table: {
    name: 'table.csv',
    directory: 'data',
    content: 'x,y,name\n1,2.5,Ada\n3,4.5,"Grace, Brewster"\n',
    type: 'text/csv',
  },
  secret: { name: 'secret.txt', content: 'secret\n', type: 'text/plain', restrict: true },
} as const satisfies Record<string, NewFile>

/** More than connections hold in between, so that it can be cut off before the server has sent it all. */
const LARGE = 32 * 1024 * 1024

/** What anybody finds in the collection; `booked` where there is one. */
export const RELEASED = ['main', 'counted', 'booked'] as const
export type Released = (typeof RELEASED)[number]

/** Makes a collection with all that the checks look at, and hands it on. Removes it afterwards, also when half of it is made. */
export async function inWorld<T>(installation: Installation, use: (world: World) => Promise<T>): Promise<T> {
  const maker = new Maker(installation)
  try {
    return await use(await maker.world())
  } finally {
    await maker.remove()
  }
}

class Maker {
  readonly #installation: Installation
  readonly #alias = `dataferry-${randomBytes(4).toString('hex')}`
  readonly #collections: string[] = []
  readonly #datasets: number[] = []
  readonly #missing: string[] = []

  constructor(installation: Installation) {
    this.#installation = installation
  }

  async world(): Promise<World> {
    const alias = this.#alias
    const within = `${alias}-within`
    await this.#collection(alias, ':root')
    await this.#collection(within, alias)
    const main = await this.#dataset(alias, Object.values(FIRST))
    await this.#installation.publish(main.id)
    const second = await this.#add(main.id, Object.values(SECOND))
    const embargoed = await this.#optional('embargo', () => this.#embargoed(main.id))
    await this.#installation.publish(main.id)
    await this.#add(main.id, [{ name: 'draft.txt', content: 'draft' }])
    const counted = await this.#dataset(within, [
      { name: 'large.bin', content: bytes(LARGE) },
      { name: 'small.txt', content: 'small' },
    ])
    await this.#installation.publish(counted.id)
    const deaccessioned = await this.#deaccessioned()
    const booked = await this.#optional('guestbook', () => this.#booked())
    const unpublished = await this.#dataset(alias, [{ name: 'never.txt', content: 'never' }])
    const searchable = await this.#optional('search', () =>
      this.#searchable(booked ? RELEASED.length : RELEASED.length - 1),
    )
    return {
      alias,
      main: { ...main, files: [...main.files, ...second, ...(embargoed ? [embargoed] : [])] },
      counted,
      deaccessioned,
      unpublished,
      embargoed,
      booked,
      searchable: searchable === true,
      missing: this.#missing,
    }
  }

  /** Datasets first: a collection can be removed only when it is empty. Rejects with what is left. */
  async remove(): Promise<void> {
    const left: string[] = []
    const paths = [
      ...this.#datasets.map((id) => `datasets/${id}/destroy`),
      ...this.#collections.toReversed().map((alias) => `dataverses/${alias}`),
    ]
    for (const path of paths) {
      await this.#installation.text('DELETE', path).catch((error: unknown) => left.push(String(error)))
    }
    if (left.length > 0) throw new Error(`Not all of ${this.#alias} could be removed:\n${left.join('\n')}`)
  }

  async #collection(alias: string, parent: string): Promise<void> {
    await this.#installation.text('POST', `dataverses/${parent}`, collectionForm(alias))
    this.#collections.push(alias)
    await this.#installation.text('POST', `dataverses/${alias}/actions/:publish`)
  }

  async #dataset(alias: string, files: readonly NewFile[]): Promise<MadeDataset> {
    const made = z.object({ id: z.number(), persistentId: z.string() })
    const title = `dataferry test data ${this.#alias}`
    const form = datasetForm(title)
    const { id, persistentId } = await this.#installation.call('POST', `dataverses/${alias}/datasets`, made, form)
    this.#datasets.push(id)
    return { id, pid: persistentId, files: await this.#add(id, files) }
  }

  async #add(dataset: number, files: readonly NewFile[]): Promise<readonly MadeFile[]> {
    const made: MadeFile[] = []
    for (const file of files) made.push({ ...file, id: await this.#installation.addFile(dataset, file) })
    return made
  }

  /** A part of the world that an installation may be without. */
  async #optional<T>(name: string, make: () => Promise<T>): Promise<T | undefined> {
    try {
      return await make()
    } catch (error) {
      this.#missing.push(`${name}: ${String(error)}`)
      return undefined
    }
  }

  async #embargoed(dataset: number): Promise<MadeFile | undefined> {
    const [later] = await this.#add(dataset, [{ name: 'later.txt', content: 'later' }])
    if (!later) return undefined
    const embargo = { dateAvailable: '2099-01-01', reason: 'dataferry test', fileIds: [later.id] }
    try {
      await this.#installation.text('POST', `datasets/${dataset}/files/actions/:set-embargo`, embargo)
      return later
    } catch (error) {
      await this.#installation.text('DELETE', `files/${later.id}`)
      throw error
    }
  }

  async #deaccessioned(): Promise<MadeDataset> {
    const gone = await this.#dataset(this.#alias, [{ name: 'gone.txt', content: 'gone' }])
    await this.#installation.publish(gone.id)
    const reason = { deaccessionReason: 'dataferry test', deaccessionForwardURL: 'https://example.org/new' }
    await this.#installation.text('POST', `datasets/${gone.id}/versions/1.0/deaccession`, reason)
    return gone
  }

  async #booked(): Promise<MadeDataset> {
    const fields = { nameRequired: true, emailRequired: true, institutionRequired: false, positionRequired: false }
    const form = { name: this.#alias, enabled: true, ...fields, customQuestions: [] }
    const { id } = await this.#installation.call('POST', `guestbooks/${this.#alias}`, WITH_ID, form)
    const booked = await this.#dataset(this.#alias, [{ name: 'booked.txt', content: 'booked' }])
    await this.#installation.text('PUT', `datasets/${booked.id}/guestbook`, String(id))
    await this.#installation.publish(booked.id)
    return booked
  }

  /** The index lags behind the database. */
  async #searchable(datasets: number): Promise<true> {
    const found = z.object({ total_count: z.number() })
    const search = `search?q=*&type=dataset&subtree=${this.#alias}`
    const { total_count } = await eventually(
      async () =>
        z.object({ data: found }).parse(JSON.parse(await this.#installation.text('GET', search, undefined, 'guest')))
          .data,
      ({ total_count }) => total_count === datasets,
    )
    if (total_count !== datasets) throw new Error(`the index has ${total_count} of ${datasets} datasets`)
    return true
  }
}

/** Bytes that are no repetition of themselves. */
function bytes(size: number): Uint8Array<ArrayBuffer> {
  const made = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(size))
  return new Uint8Array(made)
}
