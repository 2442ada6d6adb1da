import { GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import { describe, it } from 'vitest'
import {
  ACCESS_KEY,
  canEncrypt,
  findBinary,
  S3_PROGRAMS,
  SECRET_KEY,
  serverAt,
  startProcess,
  type S3Server,
} from './s3-process.ts'

export type { S3Server } from './s3-process.ts'

export interface S3Kind {
  readonly name: string
  readonly start: () => Promise<S3Server>
  /** Starts it with a key to encrypt with; undefined where that cannot be. */
  readonly startEncrypting: (() => Promise<S3Server>) | undefined
}

const IMAGE = 'versity/versitygw:v1.8.0'

/** Of the long tests, which run `*.s3.test.ts` with the servers that the quick tests left out. See vitest.config.ts. */
const OTHERS = process.env.TEST_S3_SERVERS === 'others'

/**
 * Runs a suite with an S3 server: the one of `S3_TEST_ENDPOINT` (with `AWS_…` credentials), else the first known binary on
 * PATH or in the cache folder, else a container; for the long tests with every other binary. Without any it is skipped and
 * says so; in CI it fails.
 */
export async function describeWithS3(name: string, suite: (kind: S3Kind) => void): Promise<void> {
  const kinds = await kindsFor(name)
  for (const kind of ours(name, kinds)) describe(`${name} on ${kind.name}`, () => suite(kind))
}

/** The same, with the first server alone: for suites about our side. */
export async function describeWithOneS3(name: string, suite: (kind: S3Kind) => void): Promise<void> {
  for (const kind of (await kindsFor(name)).slice(0, 1)) describe(`${name} on ${kind.name}`, () => suite(kind))
}

/** The same, with every server: for `*.long.test.ts`. */
export async function describeWithEveryS3(name: string, suite: (kind: S3Kind) => void): Promise<void> {
  for (const kind of await kindsFor(name)) describe(`${name} on ${kind.name}`, () => suite(kind))
}

/** The same as the first, with servers that can be started with a key to encrypt with. Without any it is skipped and says so. */
export async function describeWithEncryptingS3(
  name: string,
  suite: (start: () => Promise<S3Server>) => void,
): Promise<void> {
  const kinds = (await availableKinds()).filter(({ startEncrypting }) => startEncrypting !== undefined)
  for (const { name: on, start, startEncrypting = start } of ours(name, kinds))
    describe(`${name} on ${on}`, () => suite(startEncrypting))
  if (kinds.length === 0) skipLoudly(name, 'no S3 server that encrypts (put minio on PATH, see docs/s3.md)')
}

function ours(name: string, kinds: readonly S3Kind[]): readonly S3Kind[] {
  if (!OTHERS) return kinds.slice(0, 1)
  if (kinds.length === 1) skipLoudly(name, 'only one S3 server, and the quick tests had it')
  return kinds.slice(1)
}

async function kindsFor(name: string): Promise<S3Kind[]> {
  const kinds = await availableKinds()
  if (kinds.length > 0) return kinds
  if (process.env.CI) throw new Error('No S3 server for the tests: run node scripts/s3-server.mjs first.')
  skipLoudly(name, 'no S3 server (run node scripts/s3-server.mjs)')
  return []
}

function skipLoudly(name: string, what: string): void {
  describe.skip(`${name}: SKIPPED, as there is ${what}`, () => it('needs a server', () => undefined))
}

async function availableKinds(): Promise<S3Kind[]> {
  const endpoint = process.env.S3_TEST_ENDPOINT
  if (endpoint) {
    const start = () => Promise.resolve(serverAt(endpoint, () => Promise.resolve()))
    return [{ name: endpoint, start, startEncrypting: process.env.S3_TEST_KMS_KEY ? start : undefined }]
  }
  const binaries: S3Kind[] = []
  for (const name of S3_PROGRAMS) {
    const path = findBinary(name)
    if (path === undefined) continue
    const startEncrypting = () => startProcess(name, path, { encrypting: true })
    const start = () => startProcess(name, path)
    binaries.push({ name, start, startEncrypting: canEncrypt(name) ? startEncrypting : undefined })
  }
  if (binaries.length > 0) return binaries
  const hasDocker = await getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
  return hasDocker ? [{ name: IMAGE, start: startContainer, startEncrypting: undefined }] : []
}

async function startContainer(): Promise<S3Server> {
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY })
    .withCommand(['--port', ':7070', 'posix', '/tmp'])
    .withExposedPorts(7070)
    .start()
  return serverAt(`http://${container.getHost()}:${container.getMappedPort(7070)}`, async () => {
    await container.stop()
  })
}
