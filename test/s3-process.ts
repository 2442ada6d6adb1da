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

/** Credentials of the servers that we start. They reach dataferry as they do in life: by the environment. */
export const ACCESS_KEY = 'dataferry-test-id'
export const SECRET_KEY = 'dataferry-test-secret'

/** A running S3 server that nobody here wrote. */
export interface S3Server {
  readonly endpoint: string
  /** Makes a new empty bucket. @returns its name */
  bucket(): Promise<string>
  /** A plain client, to look at what a sink leaves. */
  readonly client: S3Client
  /** Kills it, does the work, and starts it again where it was, with its objects; undefined for one that we did not start. */
  readonly outage: ((work: () => Promise<void>) => Promise<void>) | undefined
  stop(): Promise<void>
}

interface Command {
  readonly args: (folder: string, port: number) => readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** What makes it able to encrypt; undefined: it never does. */
  readonly keyEnv?: Readonly<Record<string, string>>
}

/** Name of the key with which `encrypting` servers encrypt. */
export const KMS_KEY = 'dataferry-test-key'

const COMMANDS = {
  versitygw: {
    args: (folder, port) => ['--quiet', '--port', `127.0.0.1:${port}`, 'posix', folder],
    env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY },
  },
  minio: {
    args: (folder, port) => ['server', folder, '--quiet', '--address', `127.0.0.1:${port}`],
    env: { MINIO_ROOT_USER: ACCESS_KEY, MINIO_ROOT_PASSWORD: SECRET_KEY, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
    keyEnv: { MINIO_KMS_SECRET_KEY: `${KMS_KEY}:${Buffer.alloc(32, 7).toString('base64')}` },
  },
} as const satisfies Readonly<Record<string, Command>>

/** Servers that can be started as a process. */
export type S3Program = keyof typeof COMMANDS
export const S3_PROGRAMS: readonly S3Program[] = ['versitygw', 'minio']

/** Whether a server can be started so that it encrypts. */
export function canEncrypt(name: S3Program): boolean {
  return commandOf(name).keyEnv !== undefined
}

function commandOf(name: S3Program): Command {
  return COMMANDS[name]
}

/** As in scripts/s3-server.mjs, which builds into it. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dataferry', 's3-servers')

/** Path of a server's binary on PATH or in the cache folder. */
export function findBinary(name: S3Program): string | undefined {
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

export interface ProcessOptions {
  /** Folder below which it keeps its objects; default the temporary folder. */
  readonly parent?: string
  /** Whether it has a key to encrypt with; default false. */
  readonly encrypting?: boolean
}

/** Starts a server on loopback, with an empty folder that is removed when it is stopped. */
export async function startProcess(
  name: S3Program,
  path: string,
  { parent = tmpdir(), encrypting = false }: ProcessOptions = {},
): Promise<S3Server> {
  const { args, env, keyEnv } = commandOf(name)
  const folder = await mkdtemp(join(parent, 'dataferry-s3-'))
  await mkdir(join(folder, 'data'))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(path, args(join(folder, 'data'), port), {
      cwd: folder,
      env: { ...process.env, ...env, ...(encrypting && keyEnv) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await answering(endpoint, child)
    return child
  }
  let child = await start()
  const kill = async (): Promise<void> => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  const stop = async (): Promise<void> => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  return serverAt(endpoint, stop, async (work) => {
    await kill()
    try {
      await work()
    } finally {
      child = await start()
    }
  })
}

/** A server that runs already. Our credentials are those of the environment where it has any. */
export function serverAt(endpoint: string, stop: () => Promise<void>, outage?: S3Server['outage']): S3Server {
  process.env.AWS_ACCESS_KEY_ID ??= ACCESS_KEY
  process.env.AWS_SECRET_ACCESS_KEY ??= SECRET_KEY
  process.env.AWS_REGION ??= 'us-east-1'
  const client = new S3Client({ endpoint, forcePathStyle: true })
  return {
    endpoint,
    client,
    outage,
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
