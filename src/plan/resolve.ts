import { DataferryError, isAbort } from '../errors.ts'
import type { Entry, Target } from '../model/entry.ts'
import type { Format, Item, Ref } from '../model/item.ts'
import type { Catalogue, ListedFile, ListedVersion } from '../model/listing.ts'
import { datasetFolder, listedItem, wantedAs, type Context, type Draft } from './file-item.ts'
import { ListingCache, type Located } from './listing-cache.ts'
import { ownPromises } from './promises.ts'

/** Turns the entries of one server into drafts of items, asking as little as possible. */
export class Resolver {
  readonly #catalogue: Catalogue
  readonly #cache: ListingCache
  readonly #signal: AbortSignal
  #casing: Promise<boolean> | undefined

  constructor(catalogue: Catalogue, signal: AbortSignal) {
    this.#catalogue = catalogue
    this.#cache = new ListingCache(catalogue)
    this.#signal = signal
  }

  /**
   * Everything that an entry stands for. An entry that the server refuses becomes one draft with a `problem`, so that
   * it is reported like any other item. Rejects only with errors that may pass: the server is away or the token is bad.
   * @param onDataset called with each dataset version that is listed as a whole
   */
  async *resolve(context: Context, onDataset: (version: ListedVersion) => void): AsyncGenerator<Draft> {
    try {
      yield* this.#resolve(context, onDataset)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
      yield problemDraft(context, isNotFound(error) ? await this.#withCase(context.entry, error) : error)
    }
  }

  /** A DOI that is not found may only be written in another case than the server has it in. */
  async #withCase({ target }: Entry, error: DataferryError): Promise<DataferryError> {
    if (!/^doi:[^a-z]*[a-z]/i.test(idOf(target)) || !(await this.#tellsCase())) return error
    const hint = 'This server tells capitals from small letters in a DOI: check them, too.'
    return new DataferryError(error.code, `${error.message} ${hint}`, { cause: error })
  }

  /** Asked once. A server that does not answer this has other worries. */
  #tellsCase(): Promise<boolean> {
    return (this.#casing ??= this.#catalogue.tellsCase(this.#signal).catch((error: unknown) => {
      if (isAbort(error)) throw error
      return false
    }))
  }

  async *#resolve(context: Context, onDataset: (version: ListedVersion) => void): AsyncGenerator<Draft> {
    const { entry } = context
    const { target } = entry
    switch (target.kind) {
      case 'file':
        yield await this.#file(target.file, target.version, context)
        return
      case 'dataset':
        yield* this.#dataset(target, context, onDataset)
        return
      case 'pid':
        yield* this.#pid(target.pid, target.version, context, onDataset)
        return
      case 'zip':
        yield await this.#zip(target.files, context)
        return
      case 'dataset-zip':
        yield await this.#datasetZip(target.dataset, target.version, context, onDataset)
        return
      case 'bundle':
        yield await this.#allForms(target.file, context)
        return
      case 'collection':
        throw skipped(target)
    }
  }

  async #file(file: number | string, selector: string | undefined, context: Context): Promise<Draft> {
    const { entry } = context
    if (entry.listed) return listedItem(entry.listed, entry.listedIn, context)
    const { file: found, version } =
      selector === undefined
        ? await this.#cache.find(file, this.#signal)
        : await this.#cache.findIn(file, selector, this.#signal)
    return listedItem(found, version, context)
  }

  async *#dataset(
    { dataset, version: selector, folder }: Narrowed,
    context: Context,
    onDataset: (version: ListedVersion) => void,
  ): AsyncGenerator<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
    onDataset(version)
    let empty = true
    for await (const file of this.#catalogue.files(version.dataset, version.version, this.#signal)) {
      if (folder !== undefined && !`${file.directory}/`.startsWith(`${folder}/`)) continue
      empty = false
      yield listedItem(file, version, context)
    }
    if (folder === undefined || !empty) return
    const message = `Version ${version.version} of ${version.dataset} has no folder ${folder}.`
    throw new DataferryError('SOURCE_NOT_FOUND', message)
  }

  /** Only the server knows what a PID names: datasets are far more common, so they are tried first. */
  async *#pid(
    pid: string,
    selector: string | undefined,
    context: Context,
    onDataset: (version: ListedVersion) => void,
  ): AsyncGenerator<Draft> {
    try {
      yield* this.#dataset({ dataset: pid, version: selector }, context, onDataset)
    } catch (error) {
      if (!isNotFound(error)) throw error
      const asFile = { ...context, entry: asFileEntry(context.entry, pid) }
      yield await this.#file(pid, selector, asFile).catch((second: unknown) => {
        // With a version the dataset may be there without it, which its own error says.
        throw !isNotFound(second) ? second : selector === undefined ? neither(pid, second) : error
      })
    }
  }

  /** A ZIP of those files that the server knows: since 6.10 an unknown one makes it refuse them all. */
  async #zip(files: readonly number[], context: Context): Promise<Draft> {
    const found: Located[] = []
    const unknown: number[] = []
    for (const id of files) {
      try {
        found.push(await this.#cache.find(id, this.#signal))
      } catch (error) {
        if (!isNotFound(error)) throw error
        unknown.push(id)
      }
    }
    const [first] = found
    if (!first) throw new DataferryError('SOURCE_NOT_FOUND', 'The server knows none of the files of this ZIP.')
    const { dataset, version } = first.version
    const { entry, server, line, format } = context
    const name = `files-${files[0] ?? 0}-and-${files.length - 1}-more.zip`
    return {
      server,
      line,
      ref: { kind: 'zip', files: found.map(({ file }) => file.id), format: entry.format ?? format },
      wanted: wantedArchive(entry, name),
      expect: {},
      origin: found.every((one) => one.version.dataset === dataset) ? { dataset, version } : {},
      contentType: 'application/zip',
      asked: { files: found.map(({ file }) => file), unknown },
    }
  }

  async #datasetZip(
    dataset: number | string,
    selector: string | undefined,
    context: Context,
    onDataset: (version: ListedVersion) => void,
  ): Promise<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
    onDataset(version)
    const files: ListedFile[] = []
    for await (const file of this.#catalogue.files(version.dataset, version.version, this.#signal)) files.push(file)
    const { entry, server, line } = context
    const name = `${datasetFolder(version.dataset)}_${version.version.replace(':', '')}.zip`
    return {
      server,
      line,
      ref: {
        kind: 'dataset-zip',
        dataset: version.dataset,
        version: version.version,
        format: entry.format ?? context.format,
      },
      wanted: wantedArchive(entry, name),
      expect: {},
      origin: { dataset: version.dataset, version: version.version },
      contentType: 'application/zip',
      asked: { files, unknown: [] },
    }
  }

  async #allForms(file: number | string, context: Context): Promise<Draft> {
    const { file: found, version } = await this.#cache.find(file, this.#signal)
    const stem = found.label.replace(/\.[^.]*$/, '')
    const folder = [datasetFolder(version.dataset), found.directory].filter((part) => part !== '').join('/')
    return {
      server: context.server,
      line: context.line,
      ref: { kind: 'all-forms', file: found.id },
      wanted:
        context.entry.path === undefined
          ? { directory: folder, name: `${stem}-bundle.zip` }
          : wantedArchive(context.entry, `${stem}-bundle.zip`),
      expect: {},
      origin: { dataset: version.dataset, version: version.version },
      contentType: 'application/zip',
      // Of its parts only the original is described by a listing.
      asked: { files: found.tabular ? [found] : [], unknown: [] },
    }
  }
}

/** A dataset, as far as it is asked for. */
interface Narrowed {
  readonly dataset: number | string
  readonly version?: string | undefined
  readonly folder?: string | undefined
}

function isNotFound(error: unknown): error is DataferryError {
  return error instanceof DataferryError && error.code === 'SOURCE_NOT_FOUND'
}

function skipped({ collection, title }: Extract<Target, { readonly kind: 'collection' }>): DataferryError {
  const named = title === undefined ? '' : ` (${title})`
  const message = `Collection ${collection}${named} is not taken: give --recursive to take all datasets in it.`
  return new DataferryError('COLLECTION_SKIPPED', message)
}

function wantedArchive(entry: Entry, name: string): Draft['wanted'] {
  return entry.path === undefined ? { directory: '', name } : wantedAs(entry.path, name)
}

function asFileEntry(entry: Entry, pid: string): Entry {
  return { ...entry, target: { kind: 'file', file: pid } }
}

function neither(pid: string, cause: DataferryError): DataferryError {
  return new DataferryError('SOURCE_NOT_FOUND', `The server knows neither a dataset nor a file ${pid}.`, { cause })
}

/** An entry that the server refuses, as an item that fails without another request. */
function problemDraft({ entry, server, line, format }: Context, error: DataferryError): Draft {
  const { target, path } = entry
  const id = idOf(target)
  const asked = askedOf(target, id, server)
  const name = id.replaceAll(/[:/]+/g, '-')
  return {
    server,
    line,
    ref: problemRef(target, id, entry.format ?? format),
    wanted: path === undefined ? { directory: '', name } : wantedAs(path, name),
    expect: ownPromises(entry),
    problem: {
      code: error.code,
      message: error.message,
      asked: { ...asked, ...(path !== undefined && { path }) },
    },
  }
}

type Asked = NonNullable<NonNullable<Item['problem']>['asked']>

function askedOf(target: Target, id: string, server: string): Asked {
  const kind = target.kind === 'pid' ? 'any' : target.kind
  // There is no column for a folder: only an address can name one.
  if (target.kind === 'dataset' && target.folder !== undefined) return { kind, id: folderAddress(target, server) }
  return { kind, id, ...('version' in target && { version: target.version }) }
}

function folderAddress({ dataset, version, folder }: Narrowed, server: string): string {
  const query = new URLSearchParams({
    ...(typeof dataset === 'string' && { persistentId: dataset }),
    ...(version !== undefined && { version }),
    ...(folder !== undefined && { folder }),
  })
  const id = typeof dataset === 'string' ? ':persistentId' : String(dataset)
  return `${server}/api/datasets/${id}/dirindex?${query.toString()}`
}

function idOf(target: Target): string {
  switch (target.kind) {
    case 'file':
    case 'bundle':
      return String(target.file)
    case 'pid':
      return target.pid
    case 'zip':
      return target.files.join(' ')
    case 'dataset':
    case 'dataset-zip':
      return String(target.dataset)
    case 'collection':
      return String(target.collection)
  }
}

/** The nearest that there is: a dataset, and a PID that may name one, have no form of their own. */
function problemRef(target: Target, id: string, format: Format): Ref {
  switch (target.kind) {
    case 'file':
      return { kind: 'file', file: target.file, format }
    case 'bundle':
      return { kind: 'all-forms', file: target.file }
    case 'zip':
      return { kind: 'zip', files: [...target.files], format }
    case 'dataset':
    case 'dataset-zip':
    case 'pid':
      return { kind: 'dataset-zip', dataset: id, version: target.version ?? ':latest', format }
    case 'collection':
      return { kind: 'dataset-zip', dataset: id, version: ':latest', format }
  }
}
