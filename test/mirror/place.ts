import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../src/errors.ts'
import { names } from '../../src/mirror/order.ts'
import { listRuns } from '../../src/mirror/report.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Records, Sink } from '../../src/sinks/sink.ts'
import type { S3Server } from '../s3-server.ts'

/** Where a mirror is kept, looked at past dataferry. Paths are relative to it. */
export interface Place {
  /** For `--to`. */
  readonly url: string
  /** What a command needs in its environment to find it. */
  readonly env: Readonly<Record<string, string>>
  /** Contents of every file below a folder, by its path there; at the top without what dataferry keeps for itself. */
  files(below?: string): Promise<Record<string, string>>
  write(path: string, content: string): Promise<void>
  /** As a disk or store that lies: other bytes, and all else that is known of the file stays. */
  rot(path: string, content: string): Promise<void>
  remove(path: string): Promise<void>
  /** The caller closes it. */
  sink(): Promise<Sink>
}

const OWN = '.dataferry'

export function folderPlace(folder: string): Place {
  return {
    url: folder,
    env: {},
    async files(below = '') {
      const found = await contents(join(folder, below))
      return below === '' ? withoutOwn(found) : found
    },
    async write(path, content) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), content)
    },
    rot: (path, content) => writeFile(join(folder, path), content),
    remove: (path) => rm(join(folder, path)),
    sink: () => openSink(folder),
  }
}

/** A prefix of a bucket of its own. */
export async function bucketPlace(server: S3Server): Promise<Place> {
  const { client, endpoint } = server
  const Bucket = await server.bucket()
  const keyOf = (path: string): string => `some/where/${path}`
  return {
    url: `s3://${Bucket}/some/where`,
    env: {
      DATAFERRY_S3_ENDPOINT: endpoint,
      AWS_ACCESS_KEY_ID: process.env['AWS_ACCESS_KEY_ID'] ?? '',
      AWS_SECRET_ACCESS_KEY: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
      AWS_REGION: process.env['AWS_REGION'] ?? '',
    },
    async files(below = '') {
      const Prefix = below === '' ? keyOf('') : `${keyOf(below)}/`
      const found: Record<string, string> = {}
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        for (const { Key = '' } of Contents) {
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
          found[Key.slice(Prefix.length)] = (await Body?.transformToString()) ?? ''
        }
      }
      return below === '' ? withoutOwn(found) : found
    },
    async write(path, content) {
      await client.send(new PutObjectCommand({ Bucket, Key: keyOf(path), Body: content }))
    },
    async rot(path, content) {
      const { Metadata } = await client.send(new HeadObjectCommand({ Bucket, Key: keyOf(path) }))
      await client.send(new PutObjectCommand({ Bucket, Key: keyOf(path), Body: content, Metadata }))
    },
    async remove(path) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(path) }))
    },
    sink: () => openSink(`s3://${Bucket}/some/where`, { s3: { endpoint } }),
  }
}

export async function withRecords<T>(place: Place, work: (records: Records) => Promise<T>): Promise<T> {
  const sink = await place.sink()
  try {
    return await work(sink.records)
  } finally {
    await sink.close()
  }
}

/** Rows of `changes.csv` of the last run of mirror `m`. */
export function changesOfLastRun(place: Place): Promise<readonly string[]> {
  return withRecords(place, async (records) => {
    const last = (await listRuns(records, 'm')).at(-1) ?? ''
    const bytes = await records.read(names.run('m', last, 'changes.csv'))
    const text = Buffer.from(bytes ?? []).toString('utf8')
    return text.trim().replaceAll('\r\n', '\n').split('\n').slice(1)
  })
}

function withoutOwn(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith(`${OWN}/`)))
}

async function contents(folder: string, path = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  const entries = await readdir(join(folder, path), { withFileTypes: true }).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  const each = entries.map(async (entry): Promise<Record<string, string>> => {
    const inner = path === '' ? entry.name : `${path}/${entry.name}`
    return entry.isDirectory() ? contents(folder, inner) : { [inner]: await readFile(join(folder, inner), 'utf8') }
  })
  for (const some of await Promise.all(each)) Object.assign(found, some)
  return found
}
