import { z } from 'zod'
import { EXISTING } from '../model/existing.ts'
import { FORMATS } from '../model/item.ts'
import { WAITS } from '../model/receipt.ts'
import { LOG_LEVELS, type SettingName } from './about-settings.ts'
import {
  autoOrWhole,
  bundleSize,
  byteCount,
  choice,
  choices,
  durationMs,
  hosts,
  Secret,
  serverUrls,
  whole,
  word,
  yesOrNo,
} from './setting-values.ts'

/** How the text of each setting becomes a value. */
export const settingsSchema = z.object({
  server: serverUrls,
  destination: word('a folder or a URL such as ./data'),
  jobs: whole(1, 64),
  segments: autoOrWhole(1, 16),
  existing: choice(EXISTING),
  format: choice(FORMATS),
  retries: whole(1, 1000),
  retryFirstMs: durationMs(1),
  retryMaxMs: durationMs(1),
  bundle: bundleSize,
  bundleUnverified: yesOrNo(),
  bundleFiles: whole(2, 200),
  bundleBytes: byteCount,
  share: yesOrNo(),
  requestAccess: yesOrNo(),
  accessTimeoutMs: durationMs(1),
  accessLookMs: durationMs(1),
  waitFor: choices(WAITS),
  waitAtMostMs: durationMs(1),
  limitRate: byteCount.optional(),
  tokenFile: word('a file').optional(),
  allowHost: hosts,
  caFile: word('a file').optional(),
  contact: word('printable ASCII text such as an e-mail address', /^[\x20-\x7e]+$/).optional(),
  userAgent: word('visible ASCII text', /^[\x20-\x7e]+$/).optional(),
  redis: Secret.redisUrl.optional(),
  prefix: word('letters, digits and {}._-', /^[\w{}.-]+$/),
  stateDir: word('a folder'),
  processes: whole(1, 64).optional(),
  logLevel: choice(LOG_LEVELS),
  logFile: word('a file').optional(),
  s3Endpoint: word('a URL such as https://s3.example.org', /^https?:\/\/\S+$/).optional(),
  s3Region: word('a region').optional(),
  s3Profile: word('a profile').optional(),
  s3PathStyle: choice(['auto', 'path', 'host']),
  s3Encryption: choice(['AES256', 'aws:kms', 'aws:kms:dsse']).optional(),
  s3KmsKey: word('a key id').optional(),
  s3StorageClass: word('a storage class').optional(),
  s3Parts: whole(1, 16).optional(),
  throttleFirstMs: durationMs(1),
  throttleMaxMs: durationMs(1),
  outageFirstMs: durationMs(1),
  outageMaxMs: durationMs(1),
  giveUpAfterMs: durationMs(1),
  idleTimeoutMs: durationMs(1),
  slowTimeoutMs: durationMs(1),
  connectTimeoutMs: durationMs(1),
} satisfies Record<SettingName, z.ZodType>)

/** The values, checked. Durations are milliseconds, sizes bytes. */
export type Settings = Readonly<z.infer<typeof settingsSchema>>
