import { DataferryError } from '../errors.ts'
import type { Entry } from '../model/entry.ts'
import type { Catalogue, ListedVersion } from '../model/listing.ts'
import { datasetFolder, listedItem, selfContainedItem, splitPath, type Context, type Draft } from './file-item.ts'
import { ListingCache } from './listing-cache.ts'

/** Turns the entries of one server into drafts of items, asking as little as possible. */
export class Resolver {
  readonly #catalogue: Catalogue
  readonly #cache: ListingCache
  readonly #signal: AbortSignal

  constructor(catalogue: Catalogue, signal: AbortSignal) {
    this.#catalogue = catalogue
    this.#cache = new ListingCache(catalogue)
    this.#signal = signal
  }

  /**
   * Everything that an entry stands for. An entry that the server refuses becomes one draft with a `problem`, so that
   * it is reported like any other item. Rejects only with errors that may pass: the server is away or the token is bad.
   * @param onDataset told each dataset version that is listed as a whole
   */
  async *resolve(context: Context, onDataset: (version: ListedVersion) => void): AsyncGenerator<Draft> {
    try {
      yield* this.#resolve(context, onDataset)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
      yield problemDraft(context, error)
    }
  }

  async *#resolve(context: Context, onDataset: (version: ListedVersion) => void): AsyncGenerator<Draft> {
    const { entry } = context
    const { target } = entry
    switch (target.kind) {
      case 'file':
        yield await this.#file(target.file, context)
        return
      case 'dataset':
        yield* this.#dataset(target.dataset, target.version, context, onDataset)
        return
      case 'pid':
        yield* this.#pid(target.pid, target.version, context, onDataset)
        return
      case 'zip':
        yield zipDraft(target.files, context)
        return
      case 'dataset-zip':
        yield await this.#datasetZip(target.dataset, target.version, context)
        return
      case 'bundle':
        yield await this.#bundle(target.file, context)
        return
    }
  }

  async #file(file: number | string, context: Context): Promise<Draft> {
    const { entry } = context
    if (entry.listed) return listedItem(entry.listed, entry.listedIn, context)
    if (entry.path !== undefined && entry.checksum && !entry.path.endsWith('/')) {
      return selfContainedItem(file, entry.path, context)
    }
    const { file: found, version } = await this.#cache.find(file, this.#signal)
    return listedItem(found, version, context)
  }

  async *#dataset(
    dataset: number | string,
    selector: string | undefined,
    context: Context,
    onDataset: (version: ListedVersion) => void,
  ): AsyncGenerator<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
    onDataset(version)
    for await (const file of this.#catalogue.files(version.dataset, version.version, this.#signal)) {
      yield listedItem(file, version, context)
    }
  }

  /** Only the server knows what a PID names: datasets are far more common, so they are tried first. */
  async *#pid(
    pid: string,
    selector: string | undefined,
    context: Context,
    onDataset: (version: ListedVersion) => void,
  ): AsyncGenerator<Draft> {
    try {
      yield* this.#dataset(pid, selector, context, onDataset)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.code !== 'SOURCE_NOT_FOUND' || selector !== undefined) throw error
      const asFile = { ...context, entry: asFileEntry(context.entry, pid) }
      yield await this.#file(pid, asFile).catch((second: unknown) => {
        throw second instanceof DataferryError && second.code === 'SOURCE_NOT_FOUND' ? neither(pid, second) : second
      })
    }
  }

  async #datasetZip(dataset: number | string, selector: string | undefined, context: Context): Promise<Draft> {
    const version = await this.#catalogue.version(dataset, selector ?? ':latest', this.#signal)
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
    }
  }

  async #bundle(file: number | string, context: Context): Promise<Draft> {
    const { file: found, version } = await this.#cache.find(file, this.#signal)
    const stem = found.label.replace(/\.[^.]*$/, '')
    const folder = [datasetFolder(version.dataset), found.directory].filter((part) => part !== '').join('/')
    return {
      server: context.server,
      line: context.line,
      ref: { kind: 'bundle', file: found.id },
      wanted:
        context.entry.path === undefined
          ? { directory: folder, name: `${stem}-bundle.zip` }
          : wantedArchive(context.entry, `${stem}-bundle.zip`),
      expect: {},
      origin: { dataset: version.dataset, version: version.version },
      contentType: 'application/zip',
    }
  }
}

function zipDraft(files: readonly number[], { entry, server, line, format }: Context): Draft {
  const name = `files-${files[0] ?? 0}-and-${Math.max(0, files.length - 1)}-more.zip`
  return {
    server,
    line,
    ref: { kind: 'zip', files: [...files], format: entry.format ?? format },
    wanted: wantedArchive(entry, name),
    expect: {},
    contentType: 'application/zip',
  }
}

function wantedArchive(entry: Entry, name: string): Draft['wanted'] {
  if (entry.path === undefined) return { directory: '', name }
  return entry.path.endsWith('/') ? { directory: entry.path, name } : splitPath(entry.path)
}

function asFileEntry(entry: Entry, pid: string): Entry {
  return { ...entry, target: { kind: 'file', file: pid } }
}

function neither(pid: string, cause: DataferryError): DataferryError {
  return new DataferryError('SOURCE_NOT_FOUND', `The server knows neither a dataset nor a file ${pid}.`, { cause })
}

/** An entry that cannot be had, as an item that ends as failed without a request. */
function problemDraft({ entry, server, line, format }: Context, error: DataferryError): Draft {
  const { target } = entry
  const asked =
    target.kind === 'file' || target.kind === 'bundle'
      ? target.file
      : target.kind === 'pid'
        ? target.pid
        : target.kind === 'zip'
          ? (target.files[0] ?? 0)
          : target.dataset
  const ref: Draft['ref'] =
    target.kind === 'file' || target.kind === 'bundle' || target.kind === 'zip'
      ? { kind: 'file', file: asked, format: entry.format ?? format }
      : {
          kind: 'dataset-zip',
          dataset: String(asked),
          version: 'version' in target ? (target.version ?? ':latest') : ':latest',
          format: entry.format ?? format,
        }
  return {
    server,
    line,
    ref,
    wanted: { directory: '', name: entry.path ?? String(asked).replaceAll(/[:/]+/g, '-') },
    expect: {},
    problem: { code: error.code, message: error.message },
  }
}
