import type { Logger } from '../log.ts'
import type { GivenAnswers, Guestbook, GuestbookResponse, Respond } from '../model/guestbook.ts'
import type { OpenSource } from '../model/source.ts'
import * as requests from './access-requests.ts'
import type { AccessRequest, ListRequestsOptions, Message, UserPermissions } from './access-requests.ts'
import {
  checkRange,
  countQuery,
  formQuery,
  zipQuery,
  type DatafileOptions,
  type StreamDatafileOptions,
  type TransferOptions,
  type ZipOptions,
} from './download-options.ts'
import { downloadUrl } from './download-url.ts'
import { Download } from './download.ts'
import { DataferryError } from '../errors.ts'
import { Answering, answersHere } from './answering.ts'
import type { Handshake } from './guestbook.ts'
import { Guestbooks } from './guestbooks.ts'
import type { Identifier } from './identifier.ts'
import { Installation, type ApiRequest, type InstallationOptions } from './installation.ts'
import { JsonCalls } from './json-call.ts'
import { openRef, zipRequest } from './open.ts'
import { retryPolicy, withRetries, type RetryPolicy } from './retry.ts'
import { bundleRoute, datasetZipRoute, fileRoute } from './route.ts'
import * as sidecars from './sidecars.ts'
import { requireVariables } from './variables.ts'
import type { AuxiliaryFile, CitationFormat, MetadataOptions } from './sidecars.ts'

/** Options of `DataAccessApi`. */
export interface DataAccessOptions extends InstallationOptions {
  /**
   * Retries for calls that only read, until their answer begins. Default 3. `open` never retries,
   * and neither does what changes something on the server.
   */
  readonly retries?: number | undefined
  /** Milliseconds before the first retry after a 429 without Retry-After. Default 60 000; doubled each time. */
  readonly throttleMs?: number | undefined
  /** Milliseconds before the first retry after any other error that passes. Default 500; doubled each time. */
  readonly retryMs?: number | undefined
  /** Is called with each request, never with secrets. */
  readonly logger?: Logger | undefined
}

/** A whole file in memory. */
export interface Datafile {
  /** Never parsed, even when they are JSON. */
  readonly bytes: Uint8Array
  /** The server's name for it, without folders; not yet safe as a path. */
  readonly name: string | undefined
  readonly contentType: string | undefined
  readonly size: number
}

/** Default limit for files in memory: 256 MiB. */
export const DEFAULT_MAX_BYTES = 256 * 1024 * 1024

/** @inline */
interface InMemory {
  /** Largest answer to take into memory, in bytes. Default 256 MiB. */
  readonly maxBytes?: number | undefined
}
/** @inline */
interface Callable {
  readonly signal?: AbortSignal | undefined
}

/**
 * The complete client of the Data Access API of one Dataverse installation, as one user.
 *
 * Every method rejects with a `DataferryError`: `ARGUMENT_INVALID` before anything is sent, else a `SOURCE_…` or
 * `TOKEN_REJECTED` code with the status and what the server said; or with the signal's reason.
 * @example
 * await using api = new DataAccessApi({ baseUrl: 'https://demo.dataverse.org' })
 * await using file = await api.streamDatafile('doi:10.70122/FK2/ABC/DEF', { format: 'original' })
 * await file.saveTo('survey.sav')
 */
export class DataAccessApi implements AsyncDisposable {
  readonly #installation: Installation
  readonly #calls: JsonCalls
  readonly #guestbooks: Guestbooks
  readonly #policy: RetryPolicy
  readonly #logger: Logger | undefined

  constructor({ logger, ...options }: DataAccessOptions) {
    this.#installation = new Installation(options)
    this.#policy = retryPolicy(options)
    this.#calls = new JsonCalls(this.#installation, this.#policy)
    this.#guestbooks = new Guestbooks(this.#installation, this.#calls)
    this.#logger = logger
  }

  /** Opens what a plan names, near a byte, without retries: the source of a transfer. */
  readonly open: OpenSource = (ref, from, options) => openRef(this.#installation, ref, from, options)

  /**
   * As `open`, and answers guestbooks where the server demands it: once, as long as the server lets that answer count.
   * Without answers the error says what is asked.
   * @param given remembers answers that still count; by default here
   */
  answering(respond: Respond | undefined, given: GivenAnswers = answersHere()): OpenSource {
    const answering = new Answering(this.#installation, this.#guestbooks, respond, given)
    return (ref, from, options) =>
      openRef(this.#installation, ref, from, options, (request) => {
        const isDirect = ref.kind === 'all-forms' || request.method === 'POST'
        // What is asked beside the download itself makes no record of its own.
        const mayAnswer = !options.spare && !options.headerless
        return answering.open(request, isDirect ? 'direct' : 'signed-url', mayAnswer)
      })
  }

  /** What a guestbook asks; undefined where the server knows none of this number, or is older than 6.10. */
  async guestbook(id: number, { signal }: Callable = {}): Promise<Guestbook | undefined> {
    return this.#guestbooks.find(id, signal)
  }

  /** A file in memory. Rejects with `ARGUMENT_INVALID` when it is larger than `maxBytes`, before fetching it if possible. */
  async getDatafile(file: Identifier, options: DatafileOptions & InMemory = {}): Promise<Datafile> {
    return inMemory(await this.streamDatafile(file, options), options)
  }

  /** A file, or a range of it, as it arrives. The caller reads it to the end or closes it. */
  async streamDatafile(file: Identifier, options: StreamDatafileOptions = {}): Promise<Download> {
    const query = [...formQuery(options), ...countQuery(options)]
    const range = checkRange(options.range)
    await this.#checkVariables(file, options)
    return this.#download({ route: fileRoute(file), query }, 'signed-url', options, range)
  }

  /**
   * A URL to fetch the file from: a storage host's, which works for anybody for some minutes and is a secret, or the
   * API's own with the options, which needs the token where the file does. No bytes of the file are read.
   */
  async getDatafileDownloadUrl(file: Identifier, options: DatafileOptions = {}): Promise<string> {
    const { signal, countDownload, guestbookResponse } = options
    const request = { route: fileRoute(file), query: [...formQuery(options), ...countQuery(options)], signal }
    await this.#checkVariables(file, options)
    return this.#reading(
      () => downloadUrl(this.#installation, this.#guestbooks, request, countDownload !== false, guestbookResponse),
      signal,
    )
  }

  /** Files of one dataset as a ZIP in memory. The status is 200 even if files are left out; MANIFEST.TXT names them. */
  async getDatafiles(files: readonly Identifier[], options: ZipOptions & InMemory = {}): Promise<Datafile> {
    return inMemory(await this.streamDatafiles(files, options), options)
  }

  /**
   * Files of one dataset as a ZIP, by database ids. Lists too long for a URL are sent by POST, which servers since 6.10 refuse
   * entirely when one file is not allowed.
   */
  async streamDatafiles(files: readonly Identifier[], options: ZipOptions = {}): Promise<Download> {
    const request = zipRequest(files)
    const query = [...zipQuery(options), ...countQuery(options)]
    return this.#download({ ...request, query }, request.method === 'POST' ? 'direct' : 'signed-url', options)
  }

  /** All forms of a tabular file, with its metadata and citations, as a ZIP in memory. */
  async getDatafileBundle(
    file: Identifier,
    options: TransferOptions & InMemory & { readonly fileMetadataId?: number | undefined } = {},
  ): Promise<Datafile> {
    return inMemory(await this.streamDatafilesBundle(file, options), options)
  }

  /** All forms of a tabular file as a ZIP. `fileMetadataId` chooses the version for citation and metadata. */
  async streamDatafilesBundle(
    file: Identifier,
    options: TransferOptions & { readonly fileMetadataId?: number | undefined } = {},
  ): Promise<Download> {
    const { fileMetadataId } = options
    const version = fileMetadataId === undefined ? [] : [['fileMetadataId', String(fileMetadataId)] as const]
    return this.#download({ route: bundleRoute(file), query: [...version, ...countQuery(options)] }, 'direct', options)
  }

  /** A dataset version as a ZIP in memory. */
  async getDataset(
    dataset: Identifier,
    options: ZipOptions & InMemory & { readonly version?: string | undefined } = {},
  ): Promise<Datafile> {
    return inMemory(await this.streamDataset(dataset, options), options)
  }

  /**
   * A dataset version as a ZIP: `1.0`, `:latest`, `:latest-published` or `:draft`. Without a version it is the draft for
   * who may see it, and the latest published version for all others.
   */
  async streamDataset(
    dataset: Identifier,
    options: ZipOptions & { readonly version?: string | undefined } = {},
  ): Promise<Download> {
    const route = datasetZipRoute(dataset, options.version)
    return this.#download({ route, query: [...zipQuery(options), ...countQuery(options)] }, 'signed-url', options)
  }

  /**
   * Requests access to a restricted file. Answers that are given are sent along; a function is asked for them only where the
   * dataset wants its guestbook answered with the request.
   */
  async requestAccess(
    file: Identifier,
    {
      guestbookResponse,
      signal,
    }: Callable & { readonly guestbookResponse?: GuestbookResponse | Respond | undefined } = {},
  ): Promise<Message> {
    return requests.requestAccess(this.#calls, this.#guestbooks, file, guestbookResponse, signal)
  }

  /** Allows or forbids access requests for the files of a dataset, once its draft is published. */
  async allowAccessRequest(dataset: Identifier, allow = true, { signal }: Callable = {}): Promise<Message> {
    return requests.putAllowance(this.#calls, dataset, allow, signal)
  }

  /** Grants access to a file: to `@name`, or to a group such as `&explicit/1-staff`. */
  async grantFileAccess(file: Identifier, user: string, { signal }: Callable = {}): Promise<Message> {
    return requests.decide(this.#calls, 'grantAccess', file, user, signal)
  }

  /** Rejects a user's request for a file. */
  async rejectFileAccess(file: Identifier, user: string, { signal }: Callable = {}): Promise<Message> {
    return requests.decide(this.#calls, 'rejectAccess', file, user, signal)
  }

  /** Revokes a user's access to a file. */
  async revokeFileAccess(file: Identifier, user: string, { signal }: Callable = {}): Promise<Message> {
    return requests.decide(this.#calls, 'revokeAccess', file, user, signal)
  }

  /** The access requests for a file; empty when there are none. */
  async listFileAccessRequests(file: Identifier, options: ListRequestsOptions = {}): Promise<readonly AccessRequest[]> {
    return requests.listRequests(this.#calls, file, options)
  }

  /** Whether the caller's own request for a file is pending. */
  async userFileAccessRequested(file: Identifier, { signal }: Callable = {}): Promise<boolean> {
    return requests.askedAlready(this.#calls, file, signal)
  }

  /** What the server says the caller may do with a file (6.1). Only a download shows for certain. */
  async userPermissions(file: Identifier, { signal }: Callable = {}): Promise<UserPermissions> {
    return requests.permissions(this.#calls, file, signal)
  }

  /** The variables of a tabular file as DDI, in XML. */
  async getDatafileMetadata(file: Identifier, options: MetadataOptions = {}): Promise<string> {
    return sidecars.ddi(this.#calls, file, options)
  }

  /** Auxiliary files of a file, of one origin or of all; empty when there are none. */
  async getAuxiliaryFiles(
    file: Identifier,
    { origin, signal }: Callable & { readonly origin?: string | undefined } = {},
  ): Promise<readonly AuxiliaryFile[]> {
    return sidecars.auxiliaryFiles(this.#calls, file, origin, signal)
  }

  /** One auxiliary file. It does not support ranges. */
  async streamAuxiliaryFile(
    file: Identifier,
    formatTag: string,
    formatVersion: string,
    { signal }: Callable = {},
  ): Promise<Download> {
    return this.#download({ route: sidecars.auxiliaryRoute(file, formatTag, formatVersion) }, 'direct', { signal })
  }

  /** How to cite a file (6.11). */
  async getDatafileCitation(file: Identifier, format: CitationFormat, { signal }: Callable = {}): Promise<string> {
    return sidecars.citation(this.#calls, file, format, signal)
  }

  /** Ends every transfer in flight and closes the connections, unless they were passed in. */
  async close(): Promise<void> {
    await this.#installation.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #checkVariables(file: Identifier, { variables, signal }: DatafileOptions): Promise<void> {
    if (variables) await requireVariables(this.#calls, file, variables, signal)
  }

  async #download(
    request: ApiRequest,
    handshake: Handshake,
    { signal, guestbookResponse }: TransferOptions,
    range: { readonly from: number; readonly to: number | undefined } = { from: 0, to: undefined },
  ): Promise<Download> {
    const asked = { ...request, ...range, signal, continuation: false }
    const answering = new Answering(this.#installation, this.#guestbooks, guestbookResponse, answersHere())
    const opened = await this.#reading(() => answering.open(asked, handshake), signal)
    this.#logger?.debug({ host: opened.answer.host, size: opened.size }, `opened ${request.route.what}`)
    if (opened.size === undefined || range.from === 0 || range.from < opened.size) return new Download(opened, range)
    opened.answer.body.close()
    const message = `The range begins beyond the end of ${request.route.what}, which has ${opened.size} bytes.`
    throw new DataferryError('SOURCE_REJECTED', message)
  }

  async #reading<T>(attempt: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return withRetries(attempt, this.#policy, signal)
  }
}

async function inMemory(download: Download, { maxBytes = DEFAULT_MAX_BYTES }: InMemory): Promise<Datafile> {
  const bytes = await download.bytes(maxBytes)
  return { bytes, name: download.name, contentType: download.contentType, size: bytes.length }
}
