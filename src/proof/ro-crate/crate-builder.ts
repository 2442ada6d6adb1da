import { z } from 'zod'
import { ExternalSort } from '../../batch/external-sort.ts'
import { ALGORITHMS, type Algorithm } from '../../model/checksum.ts'
import { pidUrl } from '../../model/pid-url.ts'
import type { Description } from '../description.ts'
import type { Holding, HoldingFile } from '../holding.ts'
import { inMemory, type PackEntry } from '../pack/pack-entry.ts'
import { refuseTwins } from '../refuse-twins.ts'
import { previewPage } from './preview.ts'

export const METADATA_FILE = 'ro-crate-metadata.json'
const PREVIEW_FILE = 'ro-crate-preview.html'
/** Names at the top that no file of a dataset may have. */
export const CRATE_FILES: readonly string[] = [METADATA_FILE, PREVIEW_FILE]

const SPECIFICATION = 'https://w3id.org/ro/crate/1.2'
/** RO-Crate's own context has `sha256` alone. @see https://w3id.org/ro/terms/workflow-run */
const DIGEST_TERMS = Object.fromEntries(
  (['md5', 'sha1', 'sha512'] as const).map((name) => [name, `https://w3id.org/ro/terms/workflow-run#${name}`]),
)

const SOFTWARE_PAGE = 'https://www.npmjs.com/package/dataferry'

export interface CrateSubject {
  readonly holding: Pick<Holding, 'name' | 'dataset' | 'missing'>
  readonly description: Description
  /** Says which crate it is when it is looked for again. */
  readonly stamp: string
  /** Of dataferry. */
  readonly softwareVersion: string
  readonly now: Date
}

const fileSchema = z.object({
  path: z.string(),
  size: z.number(),
  id: z.string().optional(),
  contentType: z.string().optional(),
  digests: z.partialRecord(z.enum(ALGORITHMS), z.string()),
})
type CrateFile = z.infer<typeof fileSchema>
type Entity = Readonly<Record<string, unknown>>

/** Files that the preview names; the metadata names all. */
const MOST_SHOWN = 1_000

/**
 * Describes files as an RO-Crate while they pass, in flat memory.
 * @see https://www.researchobject.org/ro-crate/specification/1.2/
 */
export class CrateBuilder implements AsyncDisposable {
  /** Digests of each file that it wants. */
  readonly algorithms: readonly Algorithm[] = ['sha256']
  readonly #subject: CrateSubject
  readonly #downloadId: string
  readonly #files = new ExternalSort<CrateFile>(fileSchema)
  #count = 0
  #bytes = 0
  #fetchedAt: string | undefined

  constructor(subject: CrateSubject) {
    this.#subject = subject
    this.#downloadId = `#download-${subject.stamp}`
  }

  async add(file: HoldingFile, digests: ReadonlyMap<Algorithm, string>): Promise<void> {
    const { path, size, id, contentType, fetchedAt } = file
    await this.#files.add(path, { path, size, id, contentType, digests: Object.fromEntries(digests) })
    this.#count++
    this.#bytes += size
    if (fetchedAt !== undefined && fetchedAt > (this.#fetchedAt ?? '')) this.#fetchedAt = fetchedAt
  }

  /** The files of the crate itself. To be asked for once all others have been added; the one that makes it a crate comes last. */
  async *entries(): AsyncGenerator<PackEntry, void> {
    await refuseTwins(this.#files)
    const page = Buffer.from(await this.#preview())
    yield { path: PREVIEW_FILE, size: page.length, chunks: inMemory(page) }
    let size = 0
    for await (const text of this.#metadata()) size += Buffer.byteLength(text)
    yield { path: METADATA_FILE, size, chunks: encoded(this.#metadata()) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]()
  }

  async #preview(): Promise<string> {
    const files: CrateFile[] = []
    for await (const file of this.#files.values()) {
      if (files.length === MOST_SHOWN) break
      files.push(file)
    }
    const { holding, description } = this.#subject
    return previewPage({
      title: description.title ?? holding.dataset?.pid ?? holding.name,
      description,
      dataset: holding.dataset,
      files: files.map(({ path, ...rest }) => ({ ...rest, path, href: referenceOf(path) })),
      count: this.#count,
      bytes: this.#bytes,
      missing: holding.missing,
    })
  }

  async *#metadata(): AsyncGenerator<string> {
    yield `{"@context":${JSON.stringify([`${SPECIFICATION}/context`, DIGEST_TERMS])},"@graph":[\n`
    const root = JSON.stringify(this.#root())
    yield `${root.slice(0, -1)},"hasPart":[`
    let separator = ''
    for await (const { path } of this.#files.values()) {
      yield `${separator}${JSON.stringify({ '@id': referenceOf(path) })}`
      separator = ','
    }
    yield ']}'
    for (const entity of this.#context()) yield `,\n${JSON.stringify(entity)}`
    for await (const file of this.#files.values()) yield `,\n${JSON.stringify(fileEntity(file))}`
    yield '\n]}\n'
  }

  #root(): Entity {
    const { holding, description, now } = this.#subject
    const { dataset, name } = holding
    const title = description.title ?? dataset?.pid ?? name
    return {
      '@id': './',
      '@type': 'Dataset',
      mentions: { '@id': this.#downloadId },
      name: title,
      description: description.text || title,
      datePublished: dataset?.releasedAt ?? description.releasedAt ?? now.toISOString(),
      license: { '@id': licenseId(description) },
      ...(dataset && { identifier: pidUrl(dataset.pid), publisher: { '@id': dataset.server } }),
      ...(dataset?.number !== undefined && { version: dataset.number }),
      ...(description.keywords.length > 0 && { keywords: description.keywords.join(', ') }),
      ...(description.authors.length > 0 && {
        author: description.authors.map((_, at) => ({ '@id': personId(description, at) })),
      }),
    }
  }

  /** Everything but the root and the files. */
  *#context(): Generator<Entity> {
    const { holding, description, softwareVersion } = this.#subject
    const { dataset, missing } = holding
    yield {
      '@id': METADATA_FILE,
      '@type': 'CreativeWork',
      conformsTo: { '@id': SPECIFICATION },
      about: { '@id': './' },
    }
    yield {
      '@id': PREVIEW_FILE,
      '@type': 'CreativeWork',
      name: 'Preview of this crate',
      about: { '@id': './' },
      encodingFormat: 'text/html',
    }
    yield licenseEntity(description)
    const seen = new Set<string>()
    for (const [at, { name, affiliation }] of description.authors.entries()) {
      const id = personId(description, at)
      if (seen.has(id)) continue
      seen.add(id)
      const organization = affiliation === undefined ? undefined : `#organization-${at + 1}`
      yield { '@id': id, '@type': 'Person', name, ...(organization && { affiliation: { '@id': organization } }) }
      if (organization) yield { '@id': organization, '@type': 'Organization', name: affiliation }
    }
    if (dataset) {
      yield { '@id': dataset.server, '@type': 'Organization', name: new URL(dataset.server).host, url: dataset.server }
    }
    yield {
      '@id': '#dataferry',
      '@type': 'SoftwareApplication',
      name: 'dataferry',
      url: SOFTWARE_PAGE,
      softwareVersion,
      version: softwareVersion,
    }
    const status = missing.length === 0 ? 'Completed' : 'Failed'
    const statusId = `http://schema.org/${status}ActionStatus`
    yield { '@id': statusId, '@type': 'ActionStatusType', name: status }
    yield {
      '@id': this.#downloadId,
      '@type': 'CreateAction',
      name: dataset ? `Download of ${dataset.pid} from ${new URL(dataset.server).host}` : `Download of ${holding.name}`,
      instrument: { '@id': '#dataferry' },
      result: { '@id': './' },
      ...(dataset && { object: { '@id': pidUrl(dataset.pid) } }),
      ...(this.#fetchedAt !== undefined && { endTime: this.#fetchedAt }),
      actionStatus: { '@id': statusId },
      ...(missing.length > 0 && { error: missing.map(({ path, why }) => `${path}: ${why}`).join('; ') }),
    }
    if (dataset) {
      yield { '@id': pidUrl(dataset.pid), '@type': 'CreativeWork', name: `${dataset.pid} at ${dataset.server}` }
    }
  }
}

/** What a reference may not have as it is; letters of all scripts stay readable. @see RFC 3987 */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const RESERVED = /[\u0000-\u0020\u007f"#%:<>?[\\\]^`{|}]/g

/** A path as a reference relative to the root. */
function referenceOf(path: string): string {
  return path.replaceAll(
    RESERVED,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function fileEntity({ path, size, id, contentType, digests }: CrateFile): Entity {
  return {
    '@id': referenceOf(path),
    '@type': 'File',
    name: path.slice(path.lastIndexOf('/') + 1),
    contentSize: String(size),
    ...(contentType !== undefined && { encodingFormat: contentType }),
    ...(id !== undefined && { identifier: id }),
    ...digests,
  }
}

function licenseId({ license, terms }: Description): string {
  return license?.url ?? (license || terms === undefined ? '#license' : '#terms')
}

function licenseEntity(description: Description): Entity {
  const { license, terms, isUnknown } = description
  const none = isUnknown ? 'Which one the dataset states is not known here' : 'The dataset states none'
  const text = license ? `The license of the dataset: ${license.name}` : (terms ?? `${none}: see its page.`)
  return {
    '@id': licenseId(description),
    '@type': 'CreativeWork',
    name:
      license?.name ?? (terms !== undefined ? 'Terms of use' : isUnknown ? 'License not known' : 'No license stated'),
    description: text,
  }
}

function personId({ authors }: Description, at: number): string {
  return authors[at]?.identifier ?? `#author-${at + 1}`
}

async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of texts) yield Buffer.from(text)
}
