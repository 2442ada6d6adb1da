import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import { describe, it } from 'vitest'

/** Credentials of the servers that the tests start. They reach dataferry as they do in life: by the environment. */
const ACCESS_KEY = 'dataferry-test-id'
const SECRET_KEY = 'dataferry-test-secret'

/** A running S3 server that nobody here wrote. */
export interface S3Server {
  readonly endpoint: string
  /** Makes a new empty bucket. @returns its name */
  bucket(): Promise<string>
  /** A plain client, to look at what a sink leaves. */
  readonly client: S3Client
  stop(): Promise<void>
}

export interface S3Kind {
  readonly name: string
  start(): Promise<S3Server>
}

interface Command {
  readonly args: (folder: string, port: number) => readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const COMMANDS: Readonly<Record<string, Command>> = {
  versitygw: {
    args: (folder, port) => ['--quiet', '--port', `127.0.0.1:${port}`, 'posix', folder],
    env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
  },
  minio: {
    args: (folder, port) => ['server', folder, '--quiet', '--address', `127.0.0.1:${port}`],
    env: { MINIO_ROOT_USER: ACCESS_KEY, MINIO_ROOT_PASSWORD: SECRET_KEY, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
  },
}
const IMAGE = 'versity/versitygw:v1.8.0'
/** As in scripts/s3-server.mjs, which builds into it. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dataferry', 's3-servers')

/**
 * Runs a suite once for each S3 server that is to be had: the one of `S3_TEST_ENDPOINT` (with `AWS_…` credentials), else every
 * known binary on PATH or in the cache folder, else a container. Without any it is skipped and says so; in CI it fails.
 */
export async function describeWithS3(name: string, suite: (kind: S3Kind) => void): Promise<void> {
  for (const kind of await kindsFor(name)) describe(`${name} on ${kind.name}`, () => suite(kind))
}

/** The same, with one server only: for suites about our side alone. */
export async function describeWithOneS3(name: string, suite: (kind: S3Kind) => void): Promise<void> {
  for (const kind of (await kindsFor(name)).slice(0, 1)) describe(`${name} on ${kind.name}`, () => suite(kind))
}

async function kindsFor(name: string): Promise<S3Kind[]> {
  const kinds = await availableKinds()
  if (kinds.length > 0) return kinds
  if (process.env.CI) throw new Error('No S3 server for the tests: run node scripts/s3-server.mjs first.')
  describe.skip(`${name}: SKIPPED, as there is no S3 server (run node scripts/s3-server.mjs)`, () =>
    it('needs a server', () => undefined))
  return []
}

async function availableKinds(): Promise<S3Kind[]> {
  const endpoint = process.env.S3_TEST_ENDPOINT
  if (endpoint) return [{ name: endpoint, start: () => Promise.resolve(serverAt(endpoint, () => Promise.resolve())) }]
  const binaries: S3Kind[] = []
  for (const [name, command] of Object.entries(COMMANDS)) {
    const path = findBinary(name)
    if (path !== undefined) binaries.push({ name, start: () => startBinary(path, command) })
  }
  if (binaries.length > 0) return binaries
  const hasDocker = await getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
  return hasDocker ? [{ name: IMAGE, start: startContainer }] : []
}

function findBinary(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), CACHE]
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

async function startBinary(path: string, { args, env }: Command): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'dataferry-s3-'))
  await mkdir(join(folder, 'data'))
  const port = await freePort()
  const child = spawn(path, args(join(folder, 'data'), port), {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const endpoint = `http://127.0.0.1:${port}`
  await answering(endpoint, child)
  return serverAt(endpoint, async () => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  })
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

function serverAt(endpoint: string, stop: () => Promise<void>): S3Server {
  process.env.AWS_ACCESS_KEY_ID ??= ACCESS_KEY
  process.env.AWS_SECRET_ACCESS_KEY ??= SECRET_KEY
  process.env.AWS_REGION ??= 'us-east-1'
  const client = new S3Client({ endpoint, forcePathStyle: true })
  return {
    endpoint,
    client,
    bucket: async () => {
      const name = `dataferry-${randomUUID()}`
      await client.send(new CreateBucketCommand({ Bucket: name }))
      return name
    },
    stop: async () => {
      client.destroy()
      await stop()
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** Neither server says on a pipe when it listens, so it is asked until it answers anything at all. */
async function answering(endpoint: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (child.exitCode !== null) throw new Error(`The S3 server ended at once with ${child.exitCode}.`)
    const up = await fetch(endpoint).then(
      (answer) => answer.status < 500,
      () => false,
    )
    if (up) return
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw new Error('The S3 server did not begin to answer.')
}
