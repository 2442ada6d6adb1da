import { S3Client, StorageClass, type S3ClientConfig } from '@aws-sdk/client-s3'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { DataferryError } from '../../errors.ts'
import { hasProxies, NO_PROXIES, proxyFor, type Proxies } from '../../model/proxies.ts'
import { MIN_PART_SIZE } from './part-layout.ts'

/** How to reach a store and how to write to it. Credentials come only from the SDK's own chain, never from here. */
export interface S3Options {
  /** URL of a store that is not AWS. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  /** A profile of the AWS config and credentials files. */
  readonly profile?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. Default: true when an endpoint is given. */
  readonly forcePathStyle?: boolean | undefined
  /** Server-side encryption of everything written. Default: the bucket's own. */
  readonly sse?: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | undefined
  readonly kmsKeyId?: string | undefined
  /** Storage class of the data, e.g. `STANDARD_IA`; the batch folder stays in the bucket's default. */
  readonly storageClass?: string | undefined
  /** Bytes of a part, at least 5 MiB, and the largest file without parts. Default 8 MiB to 64 MiB by the file; and 8 MiB. */
  readonly partSize?: number | undefined
  /**
   * Parts that one transfer holds in memory, including the one being filled; a crash costs at most as many. With 1, nothing is
   * read while a part is being sent. By default as many as make 32 MiB, or half a percent of the file, and at least two.
   */
  readonly maxConcurrentParts?: number | undefined
  /** Bytes that all transfers of this sink together hold in memory. Default 128 MiB. */
  readonly memory?: number | undefined
  /** How long a silent writer keeps its claim. Default 60,000. */
  readonly leaseMs?: number | undefined
  /** Attempts per request: the SDK's own retries with back-off. Default 6. */
  readonly maxAttempts?: number | undefined
  /** Default none. */
  readonly proxies?: Proxies | undefined
  /** Certificate authorities in PEM, all that are trusted. Default: those of Node.js. */
  readonly ca?: readonly string[] | undefined
}

const CONNECT_TIMEOUT_MS = 10_000
/** Idle timeout; completing a large upload can keep a store busy for minutes. */
const IDLE_TIMEOUT_MS = 300_000
const MAX_SOCKETS = 64

/**
 * Creates the client. The caller destroys it. Rejects with `CONFIG_INVALID`.
 * The SDK's own checksums are enabled only where S3 requires them, since many stores that are not
 * AWS refuse them. Requests are signed over their bytes, except where TLS protects these.
 */
export async function createClient(options: S3Options): Promise<S3Client> {
  checkOptions(options)
  const agents = await agentsFor(options)
  const client = new S3Client(configOf(options, options.region, agents))
  if (await hasRegion(client)) return sparing(client)
  client.destroy()
  // Stores that are not AWS mostly have no regions, but a signature needs one.
  if (options.endpoint !== undefined) return sparing(new S3Client(configOf(options, 'us-east-1', agents)))
  throw new DataferryError('CONFIG_INVALID', 'No S3 region is set: use --region or AWS_REGION.')
}

/**
 * Leaves the bytes of a body out of the signature where TLS protects them: hashing them once more costs as much as the file's own
 * checksum. Everything else about the request is signed as ever.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, `UNSIGNED-PAYLOAD`
 */
function sparing(client: S3Client): S3Client {
  client.middlewareStack.add(
    (next) => async (args) => {
      if (isSecureUpload(args.request)) args.request.headers['x-amz-content-sha256'] ??= 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'dataferryUnsignedPayload', override: true },
  )
  return client
}

function isSecureUpload(request: unknown): request is { readonly headers: Record<string, string> } {
  if (typeof request !== 'object' || request === null) return false
  if (!('protocol' in request && 'body' in request && 'headers' in request)) return false
  return request.protocol === 'https:' && request.body instanceof Uint8Array && typeof request.headers === 'object'
}

function configOf(options: S3Options, region: string | undefined, agents: Agents): S3ClientConfig {
  return {
    ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
    ...(region !== undefined && { region }),
    ...(options.profile !== undefined && { profile: options.profile }),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    followRegionRedirects: options.endpoint === undefined,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    retryMode: 'standard',
    maxAttempts: options.maxAttempts ?? 6,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
      ...agents,
    },
  }
}

interface Agents {
  readonly httpAgent: HttpAgent
  readonly httpsAgent: HttpsAgent
}

/** Connections, direct or through proxies. The proxy library is loaded only if there are any. */
async function agentsFor({ proxies = NO_PROXIES, ca }: S3Options): Promise<Agents> {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS, ...(ca && { ca: [...ca] }) }
  if (!hasProxies(proxies)) return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent(options) }
  const { ProxyAgent } = await import('proxy-agent')
  const through = { ...options, getProxyForUrl: (url: string) => proxyFor(url, proxies) ?? '' }
  // On a reused connection it would leave out the host of an `http:` URL.
  const httpAgent = new ProxyAgent({ ...through, keepAlive: false })
  const agent = new ProxyAgent(through)
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- it connects for `https:`, too
  return { httpAgent, httpsAgent: agent }
}

async function hasRegion(client: S3Client): Promise<boolean> {
  try {
    return (await client.config.region()) !== ''
  } catch {
    return false
  }
}

function checkOptions({ endpoint, partSize, maxConcurrentParts, storageClass }: S3Options): void {
  if (storageClass !== undefined) storageClassOf(storageClass)
  if (endpoint !== undefined) checkEndpoint(endpoint)
  if (partSize !== undefined && !(Number.isSafeInteger(partSize) && partSize >= MIN_PART_SIZE))
    throw new DataferryError('CONFIG_INVALID', `A part size of ${partSize} bytes is too small: S3 takes 5 MiB or more.`)
  if (maxConcurrentParts !== undefined && !(Number.isSafeInteger(maxConcurrentParts) && maxConcurrentParts >= 1))
    throw new DataferryError('CONFIG_INVALID', `${maxConcurrentParts} parts at a time is impossible: use 1 or more.`)
}

/** The storage class as the SDK knows it. Throws `CONFIG_INVALID`. */
export function storageClassOf(name: string): StorageClass {
  const known = Object.values(StorageClass).find((storageClass) => storageClass === name)
  if (known === undefined) throw new DataferryError('CONFIG_INVALID', `${name} is not an S3 storage class.`)
  return known
}

function checkEndpoint(endpoint: string): void {
  if (!URL.canParse(endpoint))
    throw new DataferryError('CONFIG_INVALID', 'The S3 endpoint is not a URL: write https://host[:port].')
  const { protocol, username, password } = new URL(endpoint)
  if (username || password)
    throw new DataferryError(
      'CONFIG_INVALID',
      'The S3 endpoint must not contain credentials: use AWS_… variables or a profile.',
    )
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new DataferryError('CONFIG_INVALID', `The S3 endpoint begins with ${protocol} instead of http: or https:.`)
}
