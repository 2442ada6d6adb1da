import { visibleLines } from './model/visible-text.ts'

/**
 * What is done about an error. Only the processors in `workers/` turn this into queue actions.
 * - `retry`: the same request may succeed later; what was kept is used again
 * - `restart`: as `retry`, but from byte 0, because what was kept cannot be trusted
 * - `throttle`: the whole server needs a pause; uses no attempt
 * - `park`: nothing is wrong with the item; hand it back and wait until something changes
 * - `fail`: trying again cannot help
 */
export type Remedy = 'retry' | 'restart' | 'throttle' | 'park' | 'fail'

interface CodeEntry {
  readonly group: 'source' | 'bytes' | 'sink' | 'input' | 'system'
  readonly remedy: Remedy
  /** What happened, for `docs/errors.md`. */
  readonly meaning: string
  /** What a person does next once dataferry has stopped working on it: promises nothing that will not happen. */
  readonly advice: string
}

/** Every code dataferry can report. Codes are public and stable; `docs/errors.md` is made from this table. */
export const ERROR_CODES = {
  SOURCE_UNREACHABLE: {
    group: 'source',
    remedy: 'retry',
    meaning: 'The server could not be reached, or the connection broke before it answered.',
    advice: 'Check the server’s URL, the network and the proxy.',
  },
  SOURCE_THROTTLED: {
    group: 'source',
    remedy: 'throttle',
    meaning: 'The server asked for fewer requests (429, or 503 from an overloaded server or proxy).',
    advice: 'Try again later; if it happens often, lower --jobs.',
  },
  SOURCE_FAILED: {
    group: 'source',
    remedy: 'retry',
    meaning:
      'The server, its storage or a proxy in front of it answered with an error of its own: 5xx, a page where the API should be (a server that restarts), or a storage host that does not accept the link.',
    advice: 'If it persists, report the file id and the time to the installation’s support.',
  },
  SOURCE_UNEXPECTED: {
    group: 'source',
    remedy: 'retry',
    meaning: 'Something other than the file came with a success status: a login, maintenance or firewall page.',
    advice: 'Open the server in a browser; if a firewall blocks you, ask its operators to allow your User-Agent.',
  },
  SOURCE_NOT_LISTED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The server answers other requests, but failed every time it was asked for this listing.',
    advice: 'Report the dataset or file to the installation’s support, then plan again.',
  },
  SOURCE_CHANGED: {
    group: 'source',
    remedy: 'restart',
    meaning: 'The file’s size or identity changed between two requests.',
    advice: 'The dataset was edited: plan again with --new.',
  },
  SOURCE_DENIED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The server does not let this user have the file (403): it is restricted, embargoed or unpublished.',
    advice: 'Request access to the file on the server, or run it with --request-access; set DATAVERSE_API_TOKEN.',
  },
  SOURCE_EMBARGOED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The file is under embargo: the server lets nobody download it before the day that the message names.',
    advice: 'Run `dataferry retry` after that day. A batch begun with --wait-for embargo has such files wait.',
  },
  SOURCE_RETENTION_OVER: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The retention period of the file has ended: the server lets nobody download it any more.',
    advice: 'Ask the dataset’s contact, or remove the file from the manifest.',
  },
  ACCESS_REJECTED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'Access to the restricted file was requested, and the request was rejected.',
    advice: 'Ask the dataset’s contact; once you have access, run `dataferry retry`.',
  },
  ACCESS_UNANSWERED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'Access to the restricted file was requested, and nobody answered within --access-timeout.',
    advice: 'Ask the dataset’s contact; once you have access, run `dataferry retry`.',
  },
  SOURCE_BLOCKED: {
    group: 'source',
    remedy: 'retry',
    meaning: 'A firewall in front of the server refused the request (403 or 202 with a page of its own).',
    advice: 'Lower --jobs, and ask the installation’s operators to allow dataferry’s User-Agent.',
  },
  SOURCE_GUESTBOOK: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The dataset requires its guestbook to be filled in before a download.',
    advice:
      'Write truthful answers to a file (`dataferry guestbook show` prints one to fill in), and give it with --guestbook; a token with edit rights on the dataset needs none.',
  },
  SOURCE_NOT_FOUND: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The server does not know this file, dataset, version or format (404).',
    advice: 'Check the identifier and the version; unpublished items need a token.',
  },
  SOURCE_DEACCESSIONED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The dataset version was deaccessioned: its owners withdrew it, and may have said why.',
    advice: 'Read the reason, follow the forwarding address if there is one, or ask for another version.',
  },
  SOURCE_BYTES_MISSING: {
    group: 'source',
    remedy: 'retry',
    meaning: 'The server knows the file, but its storage did not have the bytes on any attempt.',
    advice:
      'Report the file id and the time to the installation’s support: the bytes may be lost there. Once they are back, run `dataferry retry`.',
  },
  SOURCE_ARCHIVED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The bytes are in an archive tier of the server’s storage and must be restored from it first.',
    advice: 'Ask the installation’s support to restore the file, then run `dataferry retry`.',
  },
  SOURCE_MISLISTED: {
    group: 'source',
    remedy: 'fail',
    meaning:
      'The server describes a file or dataset in a way that cannot be true or understood, such as a negative id.',
    advice: 'Report it to the installation; nothing else in the batch is affected.',
  },
  SOURCE_REJECTED: {
    group: 'source',
    remedy: 'fail',
    meaning: 'The server understood the request and refused it (another 4xx).',
    advice: 'Read the server’s message; this is often a parameter it does not support.',
  },
  TOKEN_REJECTED: {
    group: 'source',
    remedy: 'park',
    meaning: 'The server does not accept the API token (401), and with it refuses even public files.',
    advice: 'Set a valid DATAVERSE_API_TOKEN, or none at all for public files.',
  },
  TLS_REJECTED: {
    group: 'source',
    remedy: 'park',
    meaning:
      'No secure connection to the server could be made: its certificate is not trusted here, has expired or is for another name, or it does not speak TLS.',
    advice:
      'Check the server’s URL and the clock; if your institution has its own certificate authority, give its file with --ca-file or NODE_EXTRA_CA_CERTS.',
  },
  PROXY_REJECTED: {
    group: 'source',
    remedy: 'park',
    meaning: 'The proxy does not let the connection through: it asks for a password, or refuses the server.',
    advice:
      'Put user and password into HTTPS_PROXY and HTTP_PROXY (http://user:password@host:port), or the server into NO_PROXY.',
  },
  SHORT_BODY: {
    group: 'bytes',
    remedy: 'retry',
    meaning: 'Fewer bytes arrived than promised.',
    advice: 'Check the network and the proxy; what arrived is kept.',
  },
  LONG_BODY: {
    group: 'bytes',
    remedy: 'restart',
    meaning: 'More bytes arrived than promised.',
    advice: 'The listing does not describe this file: plan again with --new.',
  },
  ENDLESS_BODY: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'A file or archive of unknown length sent more bytes than there was room for.',
    advice: 'If it can be that long, free some space and try again; otherwise report it to the installation.',
  },
  CHECKSUM_MISMATCH: {
    group: 'bytes',
    remedy: 'restart',
    meaning: 'The bytes that arrived do not have the published checksum.',
    advice: 'If it persists, the file is damaged on the server: report it there.',
  },
  ZIP_DAMAGED: {
    group: 'bytes',
    remedy: 'restart',
    meaning: 'The archive is cut off, or its structure is damaged.',
    advice: 'If it persists, fetch the files individually.',
  },
  ZIP_INCOMPLETE: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'The server left files out of the archive and said so in its MANIFEST.TXT.',
    advice: 'Fetch the named files individually, or use --complete.',
  },
  ZIP_HOSTILE: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'The archive breaks a safety limit: size, count, overlapping entries or names that leave the folder.',
    advice: 'Fetch the files individually, and report the archive to the installation.',
  },
  BAG_INVALID: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'This is no bag, its archive is damaged, or it breaks a safety limit.',
    advice: 'Get the bag again from where it came from.',
  },
  BAG_REFUSED: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'A bag was not written: files of the dataset are missing, or it would not be what its profile requires.',
    advice: 'Fetch what is missing, or hand on the rest with --allow-missing, then run the same command again.',
  },
  OCFL_REFUSED: {
    group: 'bytes',
    remedy: 'fail',
    meaning:
      'An OCFL storage root or object is not one that dataferry may write to: another program touched it, or it is of another kind.',
    advice: 'Give another storage root with --to, or look at the object with the program that wrote it.',
  },
  STATEMENT_REFUSED: {
    group: 'bytes',
    remedy: 'fail',
    meaning: 'No statement of a batch was made or checked: the batch has not ended, or has no list of its records yet.',
    advice: 'Finish the batch with `dataferry resume`, then run the same command again.',
  },
  SINK_BUSY: {
    group: 'sink',
    remedy: 'retry',
    meaning: 'Another live process is writing the same item.',
    advice: 'Wait until the other process has ended.',
  },
  SINK_FAILED: {
    group: 'sink',
    remedy: 'retry',
    meaning: 'The destination failed while reading or writing.',
    advice: 'Check the disk or the object store.',
  },
  SINK_DENIED: {
    group: 'sink',
    remedy: 'fail',
    meaning: 'The destination does not allow this write.',
    advice: 'Check the owner and permissions of the destination folder or bucket.',
  },
  SINK_UNAVAILABLE: {
    group: 'sink',
    remedy: 'park',
    meaning:
      'The destination as a whole cannot be used: a disk that is gone, unmounted, read-only or failing; an object store that is away, refuses the credentials or cannot do what was asked for.',
    advice: 'Correct what the message names, then run the same command again: it continues where it stopped.',
  },
  NO_RECORDS: {
    group: 'sink',
    remedy: 'fail',
    meaning: 'Nothing at the destination shows that dataferry ever fetched anything there.',
    advice:
      'Give the folder or URL that was given to --to, the one with `.dataferry` in it; check that its disk is mounted.',
  },
  SINK_EXISTS: {
    group: 'sink',
    remedy: 'fail',
    meaning: 'A different file is already at this path of the destination.',
    advice: 'Move it away, or choose -e skip, overwrite-different or overwrite.',
  },
  SINK_FULL: {
    group: 'sink',
    remedy: 'park',
    meaning: 'No space is left at the destination.',
    advice: 'Free some space, then run the same command again: it continues where it stopped.',
  },
  RECORD_UNREADABLE: {
    group: 'sink',
    remedy: 'fail',
    meaning:
      'A record of a batch at the destination is damaged, or from another version of dataferry, and no other record can replace it.',
    advice: 'Run the same manifest again with --new: files that are already there are compared and kept.',
  },
  MANIFEST_INVALID: {
    group: 'input',
    remedy: 'fail',
    meaning: 'A manifest has lines that cannot be understood.',
    advice: 'Correct the named lines and run the same command again; nothing was fetched.',
  },
  MANIFEST_MISMATCH: {
    group: 'input',
    remedy: 'fail',
    meaning: 'The size or checksum that a manifest gives for a file is not what the server lists, or not what arrived.',
    advice: 'Correct that line of the manifest, or remove its size and checksum, and run it again.',
  },
  COLLECTION_SKIPPED: {
    group: 'input',
    remedy: 'fail',
    meaning: 'A manifest names a collection, whose datasets are fetched only with --recursive.',
    advice: 'Run again with --recursive to fetch all datasets in it, or remove it from the manifest.',
  },
  CONFIG_INVALID: {
    group: 'input',
    remedy: 'fail',
    meaning: 'A flag, an environment variable or the config file has a value that cannot be used.',
    advice: 'Correct the named setting; `dataferry config` shows where each value came from.',
  },
  ARGUMENT_INVALID: {
    group: 'input',
    remedy: 'fail',
    meaning: 'A method or command was given an argument that it cannot use.',
    advice: 'Read the message: it names the argument and what is allowed.',
  },
  BATCH_NOT_FOUND: {
    group: 'input',
    remedy: 'fail',
    meaning: 'No batch with this name is known here.',
    advice:
      '`dataferry status --all` shows the batches of this Redis; `dataferry resume` restores those of a destination from its records.',
  },
  MIRROR_NOT_FOUND: {
    group: 'system',
    remedy: 'fail',
    meaning: 'The destination has no mirror of this name.',
    advice: 'See which ones there are with `dataferry mirror list --to DEST`.',
  },
  SCHEDULE_NOT_FOUND: {
    group: 'input',
    remedy: 'fail',
    meaning: 'The state folder has no schedule of this name.',
    advice: '`dataferry schedule list` shows those that there are; --state-dir names another folder.',
  },
  SCHEDULE_BUSY: {
    group: 'system',
    remedy: 'park',
    meaning: 'A run of this schedule still goes, on this machine or another one.',
    advice: 'Wait until it has ended; `dataferry schedule show` tells how far it is.',
  },
  MIRROR_BUSY: {
    group: 'system',
    remedy: 'park',
    meaning: 'Another command is running this mirror, or an earlier run of it has not ended.',
    advice: 'Wait until it has ended, or stop it; `dataferry mirror run` goes on where it was.',
  },
  VERIFY_BUSY: {
    group: 'system',
    remedy: 'park',
    meaning: 'Another command is verifying or repairing this destination, and keeps its results there.',
    advice: 'Wait until it has ended, or stop it; then give the same command again.',
  },
  BATCH_OWNED: {
    group: 'system',
    remedy: 'park',
    meaning: 'Another command is working on this batch.',
    advice: 'Wait until it has ended, or stop it; then run the same command again.',
  },
  REDIS_UNAVAILABLE: {
    group: 'system',
    remedy: 'park',
    meaning: 'Redis cannot be reached or started.',
    advice: 'Install redis-server, or give a running Redis with --redis or REDIS_URL.',
  },
  REDIS_MISCONFIGURED: {
    group: 'system',
    remedy: 'park',
    meaning: 'Redis has a setting with which jobs could be lost.',
    advice: 'Set maxmemory-policy to noeviction, then start again.',
  },
  SIGNING_UNAVAILABLE: {
    group: 'system',
    remedy: 'fail',
    meaning:
      'A statement could not be signed, or its signature not checked: ssh-keygen is not installed, or has no use of the private key.',
    advice:
      'Install OpenSSH 8.2 or newer; give a key that has a passphrase to ssh-agent with `ssh-add` first, or name one without.',
  },
  TEMP_UNUSABLE: {
    group: 'system',
    remedy: 'retry',
    meaning: 'The folder for temporary files is full or cannot be written to.',
    advice: 'Make room in it, or set TMPDIR to a folder with more.',
  },
  REDIS_FULL: {
    group: 'system',
    remedy: 'park',
    meaning: 'Redis uses all the memory that its maxmemory allows, and takes no more writes.',
    advice: 'Remove what else is in it, or raise its maxmemory.',
  },
  REDIS_READ_ONLY: {
    group: 'system',
    remedy: 'park',
    meaning:
      'Redis can be read and takes no writes: it is a replica, has too few replicas, or cannot save to its disk.',
    advice: 'Give the primary with --redis or REDIS_URL, or correct what the message names.',
  },
  STATE_UNAVAILABLE: {
    group: 'system',
    remedy: 'park',
    meaning: 'The private Redis cannot keep its files in the state folder: no space, no rights, a read-only disk.',
    advice: 'Correct that, or give another folder with --state-dir, or a running Redis with --redis.',
  },
  WORKER_CRASHED: {
    group: 'system',
    remedy: 'fail',
    meaning: 'Several workers in a row died or froze while working on this item.',
    advice: 'Look at the workers’ logs and memory limits.',
  },
  LIMIT_REACHED: {
    group: 'system',
    remedy: 'park',
    meaning: 'The command has reached --max-duration or --max-transfer, or the hours of its schedule have ended.',
    advice: 'Run the same command again: it continues where it stopped.',
  },
  INTERRUPTED: {
    group: 'system',
    remedy: 'park',
    meaning: 'The work was asked to stop.',
    advice: 'Run the same command again: it continues where it stopped.',
  },
} as const satisfies Record<string, CodeEntry>

export type ErrorCode = keyof typeof ERROR_CODES

/** Whether a text, e.g. from a record, is one of our codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text)
}

export interface ErrorDetails {
  readonly cause?: unknown
  /** HTTP status, where one was received. */
  readonly status?: number
  /** How long the server asked to wait. */
  readonly retryAfterMs?: number
  /** What a person does next, where it differs from the code's usual advice. */
  readonly advice?: string
  /** A command that helps, ready to paste. */
  readonly command?: string
}

/**
 * The one error class. `message` is one sentence for people: what, where, and what to do next where the code
 * does not say so. It never holds a token or a signed URL, and control characters in it are made visible.
 */
export class DataferryError extends Error {
  override readonly name = 'DataferryError'
  readonly code: ErrorCode
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  readonly command: string | undefined
  readonly #advice: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(visibleLines(message), details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
    this.command = details.command
    this.#advice = details.advice
  }

  get remedy(): Remedy {
    return ERROR_CODES[this.code].remedy
  }

  /** What a person does next. */
  get advice(): string {
    return this.#advice ?? ERROR_CODES[this.code].advice
  }
}

/** An error that is about all of a destination: the next file would meet it, too. */
export type DestinationError = DataferryError & { readonly code: 'SINK_FULL' | 'SINK_UNAVAILABLE' }

export function isAboutDestination(error: unknown): error is DestinationError {
  return error instanceof DataferryError && (error.code === 'SINK_FULL' || error.code === 'SINK_UNAVAILABLE')
}

/** True for the error that an aborted signal, ours or the platform's, makes an operation reject with. */
export function isAbort(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.name === 'AbortError' || (error instanceof DataferryError && STOPS.has(error.code)))
  )
}

const STOPS: ReadonlySet<ErrorCode> = new Set(['INTERRUPTED', 'LIMIT_REACHED'])

/** The `code` of a Node.js system error such as `ENOENT`, or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
