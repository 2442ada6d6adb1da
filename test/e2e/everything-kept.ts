import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '../../src/queue/connection.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'
import type { Home } from './cli.ts'

/** Every key and value in the Redis of a home while it runs. */
export async function redisValues(home: Pick<Home, 'env'>): Promise<string[]> {
  const socket = (await readdir(home.env['DATAFERRY_STATE_DIR'] ?? '', { recursive: true, withFileTypes: true })).find(
    (entry) => entry.isSocket(),
  )
  const url = process.env['REDIS_URL'] ?? (socket && socketUrl(join(socket.parentPath, socket.name)))
  if (url === undefined) return []
  const client = await connect({ url, role: 'producer' })
  try {
    if (!('dumpBuffer' in client) || 'nodes' in client) return []
    const values: string[] = []
    for await (const keys of client.scanStream({ count: 1000 })) {
      for (const key of Array.isArray(keys) ? keys.map(String) : []) {
        values.push(key, (await client.dumpBuffer(key)).toString('latin1'))
      }
    }
    return values
  } finally {
    client.disconnect()
  }
}

/** Receipts, report, plan, logs and the append-only file of Redis. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Promise.all(files.map((file) => readFile(file, 'latin1')))
}
