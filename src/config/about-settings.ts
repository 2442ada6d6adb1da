import { EXISTING } from '../model/existing.ts'

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** What people need to know about a setting besides its type. Flags, `docs/cli.md` and messages are made from it. */
export interface Setting {
  readonly help: string
  /** In commander's notation; a setting without any is for environment and file only. */
  readonly flags?: readonly string[]
  /** Environment variables, by precedence. */
  readonly env: readonly string[]
  /** As a person would write it; undefined: not set. A path may begin with `~/`. */
  readonly fallback?: string
  /** For people, e.g. `bytes per second`. */
  readonly unit?: string
  /** A list: the flag may be given again for each. */
  readonly many?: true
  /** A file or folder: relative ones start at the config file's folder, or else at the current one. */
  readonly path?: true
  /** May hold a password: never on the command line, never in a message. */
  readonly secret?: true
}

/**
 * Every setting, with all but its type, which is in `settings.ts`: help needs no more. A key is the name in
 * `dataferry.config.json`. A flag beats the environment, which beats the file, which beats the default.
 */
const SETTINGS = {
  server: {
    help: 'URL of a Dataverse installation; repeat for more, the first is the default. Only servers given here or in the config file are contacted',
    flags: ['--server <url>'],
    env: ['DATAVERSE_SERVER'],
    many: true,
  },
  destination: {
    help: 'where the files go',
    flags: ['-d, --dir <folder>', '--to <destination>'],
    env: ['DATAFERRY_TO'],
    fallback: './data',
    path: true,
  },
  jobs: {
    help: 'files fetched from one server at a time, by all machines together (1 to 64)',
    flags: ['-j, --jobs <n>'],
    env: ['DATAFERRY_JOBS'],
    fallback: '4',
  },
  segments: {
    help: 'connections that a file over 64 MiB may use, each in the place of one of --jobs while no other file waits for it: 1 to 16, or auto: 4 where the server hands out a link to its storage, else 1',
    flags: ['--segments <n>'],
    env: ['DATAFERRY_SEGMENTS'],
    fallback: 'auto',
  },
  existing: {
    help: `what to do when a different file is in the way: ${EXISTING.join(', ')}. Files proven identical are always kept`,
    flags: ['-e, --existing <what>'],
    env: ['DATAFERRY_EXISTING'],
    fallback: 'error',
  },
  format: {
    help: 'form of ingested tabular files: original (as uploaded, with a published checksum) or archival (.tab)',
    flags: ['--format <form>'],
    env: ['DATAFERRY_FORMAT'],
    fallback: 'original',
  },
  retries: {
    help: 'attempts for each file before it counts as failed',
    flags: ['--retries <n>'],
    env: ['DATAFERRY_RETRIES'],
    fallback: '8',
  },
  retryFirstMs: {
    help: 'wait before the second attempt at a file, doubled for each further one; a question about metadata waits half as long',
    flags: ['--retry-wait <time>'],
    env: ['DATAFERRY_RETRY_WAIT'],
    fallback: '1s',
    unit: 'ms',
  },
  retryMaxMs: {
    help: 'longest wait between two attempts at a file',
    flags: ['--retry-max-wait <time>'],
    env: ['DATAFERRY_RETRY_MAX_WAIT'],
    fallback: '5m',
    unit: 'ms',
  },
  bundle: {
    help: 'fetch small files of a dataset together in one ZIP: off, auto (files up to 128K), or the largest size that counts as small',
    flags: ['--bundle <size>'],
    env: ['DATAFERRY_BUNDLE'],
    fallback: 'off',
  },
  bundleUnverified: {
    help: 'also fetch files without a published checksum, such as archival forms, in those ZIPs, where only name and size identify them',
    flags: ['--bundle-unverified'],
    env: ['DATAFERRY_BUNDLE_UNVERIFIED'],
    fallback: 'no',
  },
  digest: {
    help: 'also take this digest of every file while its bytes pass: sha256 or sha512; repeat for both',
    flags: ['--digest <algorithm>'],
    env: ['DATAFERRY_DIGEST'],
    many: true,
  },
  bundleFiles: {
    help: 'most files in one such ZIP (2 to 200: their ids must fit into a URL)',
    env: ['DATAFERRY_BUNDLE_FILES'],
    fallback: '200',
  },
  bundleBytes: {
    help: 'most bytes in one such ZIP, even if the server allows more: the most that is fetched again when one is cut off',
    env: ['DATAFERRY_BUNDLE_BYTES'],
    fallback: '32M',
    unit: 'bytes',
  },
  share: {
    help: 'let every worker of this Redis take part in the batch; work here only where there is none',
    flags: ['--share'],
    env: ['DATAFERRY_SHARE'],
    fallback: 'no',
  },
  requestAccess: {
    help: 'request access to restricted files that allow it, once each, in the name of the token; on a terminal you are asked first',
    flags: ['--request-access'],
    env: ['DATAFERRY_REQUEST_ACCESS'],
    fallback: 'no',
  },
  accessTimeoutMs: {
    help: 'how long an answer to such a request is waited for; then the file fails',
    flags: ['--access-timeout <time>'],
    env: ['DATAFERRY_ACCESS_TIMEOUT'],
    fallback: '90d',
    unit: 'ms',
  },
  accessLookMs: {
    help: 'time between two looks whether access was granted',
    env: ['DATAFERRY_ACCESS_LOOK'],
    fallback: '1h',
    unit: 'ms',
  },
  waitFor: {
    help: 'stay for files that cannot be downloaded yet: embargo (until it ends) or access (until it is granted); repeat for both. Without it a run ends when only such files are left',
    flags: ['--wait-for <what>'],
    env: ['DATAFERRY_WAIT_FOR'],
    many: true,
  },
  waitAtMostMs: {
    help: 'the longest an embargo is waited for; a file whose embargo lasts longer fails',
    flags: ['--wait-at-most <time>'],
    env: ['DATAFERRY_WAIT_AT_MOST'],
    fallback: '30d',
    unit: 'ms',
  },
  limitRate: {
    help: 'most bytes per second for all files of the command, e.g. 500K or 10M (K = 1024), or a timetable of local times: "08:00,2M 19:00,off"',
    flags: ['--bwlimit <rate>', '--limit-rate <rate>'],
    env: ['DATAFERRY_BWLIMIT', 'DATAFERRY_LIMIT_RATE'],
    unit: 'bytes a second',
  },
  maxDurationMs: {
    help: 'park what is in flight after this time, such as 8h, and exit with 10; the same command continues',
    flags: ['--max-duration <time>'],
    env: ['DATAFERRY_MAX_DURATION'],
    unit: 'ms',
  },
  maxTransfer: {
    help: 'park what is in flight once this many bytes were received, such as 50G, and exit with 10; the same command continues',
    flags: ['--max-transfer <bytes>'],
    env: ['DATAFERRY_MAX_TRANSFER'],
    unit: 'bytes',
  },
  tokenFile: {
    help: 'file with the API token of the default server; DATAVERSE_API_TOKEN holds the token itself',
    flags: ['--token-file <file>'],
    env: ['DATAFERRY_TOKEN_FILE'],
    path: true,
  },
  guestbook: {
    help: 'file with truthful answers to guestbooks (YAML or JSON), sent where a server demands them; `dataferry guestbook show` prints one to fill in',
    flags: ['--guestbook <file>'],
    env: ['DATAFERRY_GUESTBOOK'],
    path: true,
  },
  allowHost: {
    help: 'host in a private network that a public server may redirect to, such as its storage; repeat for more',
    flags: ['--allow-host <host>'],
    env: ['DATAFERRY_ALLOW_HOST'],
    many: true,
  },
  caFile: {
    help: 'certificates (PEM) of further authorities to trust, such as your institution’s; for servers, proxies, S3 and Redis',
    flags: ['--ca-file <file>'],
    env: ['DATAFERRY_CA_FILE'],
    path: true,
  },
  contact: {
    help: 'contact for questions about this traffic, a mail address or a page: sent to every server in the User-Agent',
    flags: ['--contact <address>'],
    env: ['DATAFERRY_CONTACT'],
  },
  userAgent: {
    help: 'the whole User-Agent, instead of dataferry/<version> (<contact>)',
    flags: ['--user-agent <text>'],
    env: ['DATAFERRY_USER_AGENT'],
  },
  sourceOrganization: {
    help: 'organization that hands on bags and crates: Source-Organization in bag-info.txt',
    env: ['DATAFERRY_SOURCE_ORGANIZATION'],
  },
  organizationAddress: {
    help: 'its postal address: Organization-Address in bag-info.txt',
    env: ['DATAFERRY_ORGANIZATION_ADDRESS'],
  },
  organizationEmail: {
    help: 'its mail address: Organization-Email in bag-info.txt',
    env: ['DATAFERRY_ORGANIZATION_EMAIL'],
  },
  contactName: {
    help: 'person to ask about bags: Contact-Name in bag-info.txt, in place of the contacts of the dataset',
    env: ['DATAFERRY_CONTACT_NAME'],
  },
  contactEmail: {
    help: 'mail address of that person: Contact-Email in bag-info.txt',
    env: ['DATAFERRY_CONTACT_EMAIL'],
  },
  redis: {
    help: 'Redis to share with other machines instead of the private one. A URL with a password belongs in REDIS_URL',
    flags: ['--redis <url>'],
    env: ['REDIS_URL'],
    secret: true,
  },
  prefix: {
    help: 'prefix of every Redis key; the braces keep all keys in one cluster slot',
    flags: ['--prefix <text>'],
    env: ['DATAFERRY_PREFIX'],
    fallback: '{dataferry}',
  },
  stateDir: {
    help: 'folder of the private Redis and of the schedules',
    flags: ['--state-dir <folder>'],
    env: ['DATAFERRY_STATE_DIR'],
    fallback: '~/.local/state/dataferry',
    path: true,
  },
  processes: {
    help: 'worker processes on this machine; default: one fewer than the cores',
    flags: ['--processes <n>'],
    env: ['DATAFERRY_PROCESSES'],
  },
  logLevel: {
    help: `log to standard error: ${LOG_LEVELS.join(', ')}`,
    flags: ['--log-level <level>'],
    env: ['DATAFERRY_LOG_LEVEL'],
    fallback: 'silent',
  },
  logFile: {
    help: 'log to this file instead, from info on unless --log-level says otherwise; lines are added at its end',
    flags: ['--log-file <file>'],
    env: ['DATAFERRY_LOG_FILE'],
    path: true,
  },
  s3Endpoint: {
    help: 'URL of an S3-compatible store that is not AWS',
    flags: ['--endpoint <url>'],
    env: ['DATAFERRY_S3_ENDPOINT', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  },
  s3Region: {
    help: 'region of the bucket',
    flags: ['--region <name>'],
    env: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  },
  s3Profile: {
    help: 'profile of the AWS config and credentials files; credentials come from where the AWS tools find them',
    flags: ['--profile <name>'],
    env: ['AWS_PROFILE'],
  },
  s3PathStyle: {
    help: 'endpoint/bucket/key (path) or bucket.endpoint/key (host); auto: path when an endpoint is given',
    flags: ['--s3-style <style>'],
    env: ['DATAFERRY_S3_STYLE'],
    fallback: 'auto',
  },
  s3Encryption: {
    help: 'server-side encryption of what is written',
    flags: ['--sse <kind>'],
    env: ['DATAFERRY_S3_SSE'],
  },
  s3KmsKey: {
    help: 'id of the KMS key',
    flags: ['--sse-kms-key <id>'],
    env: ['DATAFERRY_S3_KMS_KEY'],
  },
  s3StorageClass: {
    help: 'storage class of the data, e.g. STANDARD_IA',
    flags: ['--storage-class <name>'],
    env: ['DATAFERRY_S3_STORAGE_CLASS'],
  },
  s3Parts: {
    help: 'parts of one upload held in memory, and at most lost in a crash; by default as many as make 32 MiB or half a percent of the file',
    env: ['DATAFERRY_S3_PARTS'],
  },
  throttleFirstMs: {
    help: 'first pause for a server that asks for fewer requests without saying for how long',
    env: ['DATAFERRY_THROTTLE_FIRST'],
    fallback: '60s',
    unit: 'ms',
  },
  throttleMaxMs: {
    help: 'longest such pause; each is twice the one before',
    env: ['DATAFERRY_THROTTLE_MAX'],
    fallback: '30m',
    unit: 'ms',
  },
  outageFirstMs: {
    help: 'time to the first new look at a server that is away',
    env: ['DATAFERRY_OUTAGE_FIRST'],
    fallback: '5s',
    unit: 'ms',
  },
  outageMaxMs: {
    help: 'longest time between two such looks; each is twice the one before',
    env: ['DATAFERRY_OUTAGE_MAX'],
    fallback: '5m',
    unit: 'ms',
  },
  giveUpAfterMs: {
    flags: ['--give-up-after <duration>'],
    help: 'park the batch and exit when a server or destination has been away for this long',
    env: ['DATAFERRY_GIVE_UP_AFTER'],
    fallback: '24h',
    unit: 'ms',
  },
  idleTimeoutMs: {
    help: 'a download that receives nothing for this long reconnects',
    env: ['DATAFERRY_IDLE_TIMEOUT'],
    fallback: '60s',
    unit: 'ms',
  },
  slowTimeoutMs: {
    help: 'a download that has brought less than 1 KiB a second for this long is connected again where it can go on at the same byte; limits and pauses of our own do not count',
    env: ['DATAFERRY_SLOW_TIMEOUT'],
    fallback: '60s',
    unit: 'ms',
  },
  connectTimeoutMs: {
    help: 'longest wait for a connection to a server',
    env: ['DATAFERRY_CONNECT_TIMEOUT'],
    fallback: '30s',
    unit: 'ms',
  },
} as const satisfies Readonly<Record<string, Setting>>
export type SettingName = keyof typeof SETTINGS

/** Every setting's name, in the order of the table. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSetting)

export function isSetting(key: string): key is SettingName {
  return Object.hasOwn(SETTINGS, key)
}

/** What the table says about a setting. */
export function aboutSetting(name: SettingName): Setting {
  return SETTINGS[name]
}
