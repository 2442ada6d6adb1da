import type { DataAccessApi } from '../../dataverse/data-access-api.ts'
import type { ByteRange, TransferOptions } from '../../dataverse/download-options.ts'
import type { Download } from '../../dataverse/download.ts'
import type { GuestbookResponse } from '../../dataverse/guestbook.ts'
import type { Ref } from '../../model/item.ts'

/** A way to ask for bytes. The caller closes the download. */
type Ask = (api: DataAccessApi, options: AskOptions) => Promise<Download>

/** Who asks, and for a file that is to be gone on with, from where on. */
interface AskOptions extends TransferOptions {
  readonly range?: ByteRange
}

/** What can be had, and from whom. */
export interface Wanted {
  /** Base URL. */
  readonly server: string
  /** For the engine. Which form of a file is meant exactly, only `ask` knows. */
  readonly ref: Ref
  /** The bytes are those of a stored file: its listing describes them, and they can be gone on with. */
  readonly whole: boolean
  readonly ask: Ask
}

/** What one `dataferry get` asks for. */
export interface GetRequest extends Wanted {
  /** As it was typed, for messages. */
  readonly shown: string
  readonly guestbookResponse: GuestbookResponse | undefined
  /** False keeps it out of the server's statistics. */
  readonly count: boolean
}
