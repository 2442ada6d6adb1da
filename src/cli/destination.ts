import type { LoadedConfig } from '../config/config.ts'
import { isWithin } from '../model/is-within.ts'
import { destinationUrl, openSink } from '../sinks/open-sink.ts'
import type { Sink } from '../sinks/sink.ts'

/** Whether a process works for a destination, by its URL. */
export interface MayOpen {
  (url: string): boolean
  /** URLs of those that it does, and of what is below them. */
  readonly named: readonly string[]
}

/**
 * Those destinations that are named, and what is below them. Rejects with `CONFIG_INVALID`.
 * @returns undefined where none is named: each may be opened
 */
export function namedDestinations(destinations: readonly string[], cwd: string): MayOpen | undefined {
  const named = destinations.map((destination) => destinationUrl(destination, cwd))
  if (named.length === 0) return undefined
  return Object.assign((url: string) => isWithin(url, named), { named })
}

/**
 * Opens a destination with the settings of the command line; the `destination` setting unless another one is named.
 * The caller closes it. Rejects with `CONFIG_INVALID` and `SINK_…` codes.
 */
export function openDestination(
  { settings, network }: LoadedConfig,
  destination = settings.destination,
): Promise<Sink> {
  const { s3Endpoint, s3Region, s3Profile, s3PathStyle, s3Encryption, s3KmsKey, s3StorageClass, s3Parts } = settings
  return openSink(destination, {
    s3: {
      endpoint: s3Endpoint,
      region: s3Region,
      profile: s3Profile,
      forcePathStyle: s3PathStyle === 'auto' ? undefined : s3PathStyle === 'path',
      sse: s3Encryption,
      kmsKeyId: s3KmsKey,
      storageClass: s3StorageClass,
      maxConcurrentParts: s3Parts,
      ...network,
    },
  })
}
