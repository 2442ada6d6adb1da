import type { SettingName } from '../config/about-settings.ts'
import type { Command, Operand } from './command.ts'

/** The settings that say where files go, and how an object store is reached. */
export const DESTINATION_SETTINGS: readonly SettingName[] = [
  'destination',
  's3Endpoint',
  's3Region',
  's3Profile',
  's3PathStyle',
  's3Encryption',
  's3KmsKey',
  's3StorageClass',
]

/** Which servers may be contacted, with which identity, and where they may redirect. */
export const SERVER_SETTINGS = [
  'server',
  'tokenFile',
  'contact',
  'userAgent',
  'allowHost',
] as const satisfies readonly SettingName[]

/** Flags that narrow what a manifest names. */
export const FILTER_FLAGS: Command['flags'] = [
  {
    flags: '--include <glob>',
    help: 'only files whose path in the dataset matches, e.g. *.csv or raw/**; repeat for more',
    many: true,
  },
  { flags: '--exclude <glob>', help: 'no files whose path in the dataset matches; repeat for more', many: true },
  { flags: '--min-size <bytes>', help: 'only files of at least this size, e.g. 10K' },
  { flags: '--max-size <bytes>', help: 'only files of at most this size, e.g. 2G' },
  { flags: '--content-type <glob>', help: 'only files of this type, e.g. image/*; repeat for more', many: true },
]

/** Flags that name datasets without a list of them. */
const FINDING_FLAGS: Command['flags'] = [
  {
    flags: '--collection <alias>',
    help: 'all released datasets of this collection and the collections in it; repeat for more',
    many: true,
  },
  { flags: '--query <search>', help: 'all released datasets that this search finds; with --collection, within those' },
  { flags: '--recursive', help: 'also all datasets of the collections that the manifest names' },
]

/** Flags of every command that plans. */
export const PLANNING_FLAGS: Command['flags'] = [
  { flags: '-m, --manifest <file>', help: 'the manifest, - for standard input' },
  ...FINDING_FLAGS,
  ...FILTER_FLAGS,
  {
    flags: '--accept-terms',
    help: 'you accept the terms of use that datasets have of their own: their text is kept with the receipts',
  },
  { flags: '--ignore-columns', help: 'treat columns that look like misspelt known ones as columns of your own' },
  { flags: '--new', help: 'begin a new batch even if an unfinished one of this manifest exists' },
]

/** What is done about files that cannot be downloaded yet. */
export const ACCESS_SETTINGS = [
  'requestAccess',
  'accessTimeoutMs',
  'waitFor',
  'waitAtMostMs',
] as const satisfies readonly SettingName[]

export const ACCESS_FLAGS: Command['flags'] = [
  { flags: '-y, --yes', help: 'request access without asking on the terminal first' },
]

/** Flags that choose the form of one file. */
export const FORM_FLAGS: Command['flags'] = [
  { flags: '--format <form>', help: 'original, tab, RData or prep; for tabular files' },
  { flags: '--no-var-header', help: 'tab-delimited, without the header line' },
  { flags: '--variables <ids>', help: 'only these columns of a tabular file: ids of variables, such as 12,v13' },
  { flags: '--image-thumb [pixels]', help: 'a PNG thumbnail instead of the file (default: 64 pixels)' },
]

/** Flags of every download. */
export const TRANSFER_FLAGS: Command['flags'] = [
  { flags: '--no-count', help: 'keep the download out of the server’s statistics' },
]

export const SUBJECT: readonly Operand[] = [
  { name: 'batch', help: 'its id as `dataferry status` shows it, or the end of it', optional: true },
]

/** Flags of every command that shows the dashboard. */
export const DASHBOARD_FLAGS: Command['flags'] = [
  { flags: '--port <n>', help: 'port of the pages; default: 8686, or the next one that is free' },
  { flags: '--host <address>', help: 'interface to listen on; others than 127.0.0.1 need a token file' },
  {
    flags: '--origin <url>',
    help: 'address under which people reach the pages besides, such as that of a proxy in front; repeat for more',
    many: true,
  },
  { flags: '--viewer-token-file <file>', help: 'file with a token for people and programs that may look' },
  { flags: '--operator-token-file <file>', help: 'file with a token for those who may also change what happens' },
  {
    flags: '--to <destination>',
    help: 'a destination that new batches may be begun for; `serve` works only for these; repeat for more',
    many: true,
  },
  { flags: '--viewer', help: 'with link: for somebody who may only look' },
]
