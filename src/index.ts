import './require-node.ts'

/** The Dataverse client. Importing it loads neither the queue nor any store. */
export { DataAccessApi, DEFAULT_MAX_BYTES } from './dataverse/data-access-api.ts'
export type { DataAccessOptions, Datafile } from './dataverse/data-access-api.ts'
export { Download } from './dataverse/download.ts'
export type {
  AnyForm,
  ByteRange,
  DatafileOptions,
  DownloadFormat,
  FormOptions,
  StreamDatafileOptions,
  TransferOptions,
  ZipOptions,
} from './dataverse/download-options.ts'
export type {
  AnsweredGuestbook,
  GivenAnswer,
  GivenAnswers,
  Guestbook,
  GuestbookResponse,
  Question,
  Respond,
} from './model/guestbook.ts'
export type { Identifier } from './dataverse/identifier.ts'
export type { AccessRequest, ListRequestsOptions, Message, UserPermissions } from './dataverse/access-requests.ts'
export { CITATION_FORMATS } from './dataverse/sidecars.ts'
export type { AuxiliaryFile, CitationFormat, MetadataOptions } from './dataverse/sidecars.ts'

/** Listings and facts of an installation. */
export { NativeApi } from './dataverse/native-api.ts'
export type { FoundDataset, SearchScope, SeenVersion } from './model/mirror-source.ts'
export type { NativeApiOptions, TokenUser } from './dataverse/native-api.ts'
export type { Catalogue, ListedFile, ListedVersion, MislistedFile } from './model/listing.ts'

/** Connections, to share between clients. */
export { Http } from './dataverse/http/http.ts'
export type { Timeouts } from './dataverse/http/exchange.ts'
export type { HttpOptions, RequestNote } from './dataverse/http/http.ts'
export type { Proxies } from './model/proxies.ts'
export type { InstallationOptions } from './dataverse/installation.ts'

/** Errors: one class, stable codes. */
export { DataferryError, ERROR_CODES } from './errors.ts'
export type { ErrorCode, ErrorDetails, Remedy } from './errors.ts'

/** What `DataAccessApi#open` takes and gives. */
export { ALGORITHMS, parseChecksum } from './model/checksum.ts'
export type { Algorithm, Checksum } from './model/checksum.ts'
export type { Format, Ref, Withheld } from './model/item.ts'
export type { OpenBody, OpenOptions, OpenSource } from './model/source.ts'
