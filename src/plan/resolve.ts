import { DataferryError, isAbort } from '../errors.ts'
import type { Entry, Target } from '../model/entry.ts'
import type { Catalogue, ListedFile } from '../model/listing.ts'
import { allFormsItem, versionZipItem, zipItem } from './archive-item.ts'
import type { FileFilter } from './file-filter.ts'
import { asListed, formatOf, listedItem, mislistedItem, type Context, type Draft } from './file-item.ts'
import { ListingCache, type Located } from './listing-cache.ts'
import { idOf, problemDraft } from './problem-item.ts'

/** Turns the entries of one server into drafts of items, with as few requests as possible. */
export class Resolver {
  readonly #catalogue: Catalogue
  readonly #cache: ListingCache
  readonly #wanted: FileFilter
  readonly #signal: AbortSignal
  #casing: Promise<boolean> | undefined

  constructor(catalogue: Catalogue, wanted: FileFilter, signal: AbortSignal) {
    this.#catalogue = catalogue
    this.#wanted = wanted
    this.#cache = new ListingCache(catalogue)
    this.#signal = signal
  }

  /**
   * Everything that an entry stands for. An entry that the server refuses becomes one draft with a `problem`, so that
   * it is reported like any other item. Rejects only with errors that may pass: the server is away or the token is bad.
   */
  async *resolve(context: Context, counts: Counts): AsyncGenerator<Draft> {
    try {
      yield* this.#resolve(context, counts)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
      yield problemDraft(context, isNotFound(error) ? await this.#withCase(context.entry, error) : error)
    }
  }

  /** A DOI that is not found may merely differ in case from the server's. */
  async #withCase({ target }: Entry, error: DataferryError): Promise<DataferryError> {
    if (!/^doi:[^a-z]*[a-z]/i.test(idOf(target)) || !(await this.#tellsCase())) return error
    const hint = 'DOIs are case-sensitive on this server: check upper and lower case, too.'
    return new DataferryError(error.code, `${error.message} ${hint}`, { cause: error })
  }

  /** Asked once; an error means no. */
  #tellsCase(): Promise<boolean> {
    return (this.#casing ??= this.#catalogue.tellsCase(this.#signal).catch((error: unknown) => {
      if (isAbort(error)) throw error
      return false
    }))
  }

  async *#resolve(context: Context, counts: Counts): AsyncGenerator<Draft> {
    const { entry } = context
    const { target } = entry
    switch (target.kind) {
      case 'file':
        yield* this.#file(target.file, target.version, context, counts)
        return
      case 'dataset':
        yield* this.#dataset(target, context, counts)
        return
      case 'pid':
        yield* this.#pid(target.pid, target.version, context, counts)
        return
      case 'zip':
        yield* this.#zip(target.files, context, counts)
        return
      case 'dataset-zip':
        yield await this.#datasetZip(target.dataset, target.version, context, counts)
        return
      case 'bundle':
        yield* this.#allForms(target.file, context, counts)
        return
      case 'collection':
        throw skipped(target)
    }
  }

  /** One file, unless the filters leave it out. */
  async *#file(
    file: number | string,
    selector: string | undefined,
    context: Context,
    counts: Counts,
  ): AsyncGenerator<Draft> {
    const { listed, listedIn } = context.entry
    const { file: found, version } = listed ? { file: listed, version: listedIn } : await this.#located(file, selector)
    yield* this.#filtered(found, context, counts, () => listedItem(found, version, context))
  }

  #located(file: number | string, selector: string | undefined): Promise<Located> {
    return selector === undefined
      ? this.#cache.find(file, this.#signal)
      : this.#cache.findIn(file, selector, this.#signal)
  }

  *#filtered(file: ListedFile, context: Context, counts: Counts, draft: () => Draft): Generator<Draft> {
    if (this.#wanted(file, formatOf(context))) yield draft()
    else counts.filtered()
  }

  async *#dataset(
    { dataset, version: selector, folder }: Narrowed,
    context: Context,
    counts: Counts,
  ): AsyncGenerator<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
    counts.dataset()
    let empty = true
    for await (const file of this.#catalogue.files(version.dataset, version.version, this.#signal)) {
      if (folder !== undefined && !`${file.directory}/`.startsWith(`${folder}/`)) continue
      empty = false
      const known = 'mislisted' in file ? asListed(file) : file
      yield* this.#filtered(known, context, counts, () =>
        'mislisted' in file ? mislistedItem(file, version, context) : listedItem(file, version, context),
      )
    }
    if (folder === undefined || !empty) return
    const message = `Version ${version.version} of ${version.dataset} has no folder ${folder}.`
    throw new DataferryError('SOURCE_NOT_FOUND', message)
  }

  /** Only the server knows what a PID names: datasets are far more common, so they are tried first. */
  async *#pid(pid: string, selector: string | undefined, context: Context, counts: Counts): AsyncGenerator<Draft> {
    try {
      yield* this.#dataset({ dataset: pid, version: selector }, context, counts)
    } catch (error) {
      if (!isNotFound(error)) throw error
      const asFile = { ...context, entry: asFileEntry(context.entry, pid) }
      try {
        yield* this.#file(pid, selector, asFile, counts)
      } catch (second) {
        // With a version, the dataset may exist without it; its own error says so.
        throw !isNotFound(second) ? second : selector === undefined ? neither(pid, second) : error
      }
    }
  }

  /**
   * A ZIP of the files that the filters keep and the server knows: since 6.10 an unknown one makes it refuse them all.
   */
  async *#zip(files: readonly number[], context: Context, counts: Counts): AsyncGenerator<Draft> {
    const found: Located[] = []
    const unknown: number[] = []
    let filtered = 0
    for (const id of files) {
      try {
        const located = await this.#cache.find(id, this.#signal)
        if (this.#wanted(located.file, formatOf(context))) found.push(located)
        else filtered++
      } catch (error) {
        if (!isNotFound(error)) throw error
        unknown.push(id)
      }
    }
    for (let n = 0; n < filtered; n++) counts.filtered()
    const [first] = found
    if (!first && filtered > 0) return
    if (!first) throw new DataferryError('SOURCE_NOT_FOUND', 'The server knows none of the files of this ZIP.')
    yield zipItem(files, { first, found, unknown }, context)
  }

  async #datasetZip(
    dataset: number | string,
    selector: string | undefined,
    context: Context,
    counts: Counts,
  ): Promise<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
    counts.dataset()
    const files: ListedFile[] = []
    for await (const file of this.#catalogue.files(version.dataset, version.version, this.#signal)) {
      if ('mislisted' in file) throw new DataferryError('SOURCE_MISLISTED', file.mislisted)
      files.push(file)
    }
    const lost = files.filter((file) => !this.#wanted(file, formatOf(context))).length
    if (lost === 0) return versionZipItem(files, version, context)
    const message =
      `The filters leave out ${lost} of the ${files.length} files of ${version.dataset}, but a ZIP of a version holds ` +
      'all of them: request it as kind dataset.'
    throw new DataferryError('MANIFEST_INVALID', message)
  }

  async *#allForms(file: number | string, context: Context, counts: Counts): AsyncGenerator<Draft> {
    const { file: found, version } = await this.#cache.find(file, this.#signal)
    if (!found.tabular) throw notTabular(found)
    yield* this.#filtered(found, context, counts, () => allFormsItem(found, version, context))
  }
}

/** What is counted meanwhile. */
interface Counts {
  /** A dataset version is listed as a whole. */
  dataset(): void
  /** A file is left out by the filters. */
  filtered(): void
}

/** A dataset, or the requested part of it. */
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
  const message = `Collection ${collection}${named} is skipped: use --recursive to fetch all datasets in it.`
  return new DataferryError('COLLECTION_SKIPPED', message)
}

/** The server starts to send such a ZIP, and breaks off every time. @see the protocol note §12 */
export function notTabular({ id, label }: Pick<ListedFile, 'id' | 'label'>): DataferryError {
  const message = `File ${id} (${label}) is not tabular, so it has no other forms: request the file itself.`
  return new DataferryError('SOURCE_REJECTED', message)
}

function asFileEntry(entry: Entry, pid: string): Entry {
  return { ...entry, target: { kind: 'file', file: pid } }
}

function neither(pid: string, cause: DataferryError): DataferryError {
  return new DataferryError('SOURCE_NOT_FOUND', `The server knows neither a dataset nor a file ${pid}.`, { cause })
}
