import type { LoadedConfig } from '../config/config.ts'
import { openSink } from '../sinks/open-sink.ts'
import type { Sink } from '../sinks/sink.ts'

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
