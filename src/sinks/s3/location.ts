import { DataferryError } from '../../errors.ts'
import { checkPlace, checkRecordName, RECORDS_FOLDER } from '../names.ts'

/** Longest object key, in bytes of UTF-8. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html */
const MAX_KEY_BYTES = 1024
const BUCKET = /^[a-z0-9A-Z][a-z0-9A-Z._-]{1,253}[a-z0-9A-Z]$/

/** Where in a bucket a sink lives: maps paths and record names to object keys. */
export class Location {
  readonly bucket: string
  /** '' or ending in `/`. */
  readonly prefix: string

  constructor(bucket: string, prefix: string) {
    this.bucket = bucket
    this.prefix = prefix
  }

  get url(): string {
    return this.urlOf(this.prefix.slice(0, -1))
  }

  urlOf(key: string): string {
    return key === '' ? `s3://${this.bucket}` : `s3://${this.bucket}/${key}`
  }

  /** The key of a file, also of one that is kept aside. Throws `ARGUMENT_INVALID` for anything but a safe relative path, `SINK_DENIED` for a key too long. */
  objectKey(place: string): string {
    checkPlace(place)
    return fitting(this.prefix + place)
  }

  /** The key of a file in the batch folder. Throws as `objectKey` does. */
  recordKey(name: string): string {
    checkRecordName(name)
    return this.ownKey(name)
  }

  /** The key of one of the sink's own objects in `.dataferry/`. */
  ownKey(name: string): string {
    return fitting(`${this.prefix}${RECORDS_FOLDER}/${name}`)
  }
}

function fitting(key: string): string {
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES)
    throw new DataferryError(
      'SINK_DENIED',
      `${key} has ${bytes} bytes, but an object key may have at most ${MAX_KEY_BYTES}.`,
    )
  return key
}

/**
 * Reads `s3://bucket/some/prefix`. The rest is taken literally, not percent-decoded, since people paste it from `aws s3 ls`.
 * Throws `CONFIG_INVALID`, also for credentials in the URL, without repeating them.
 */
export function parseLocation(url: string): Location {
  const match = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(url)
  if (!match) throw new DataferryError('CONFIG_INVALID', 'An S3 destination is written s3://bucket/prefix.')
  const [, bucket = '', rest = ''] = match
  if (bucket.includes('@'))
    throw new DataferryError(
      'CONFIG_INVALID',
      'An s3:// URL must not contain credentials: use AWS_… variables or a profile.',
    )
  if (!BUCKET.test(bucket)) throw new DataferryError('CONFIG_INVALID', `${bucket || '(empty)'} is not a bucket name.`)
  const segments = rest.split('/').filter((segment) => segment !== '')
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw new DataferryError('CONFIG_INVALID', `${url} has a dot segment in its prefix: remove it.`)
  return new Location(bucket, segments.length === 0 ? '' : `${segments.join('/')}/`)
}
