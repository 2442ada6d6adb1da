import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { itemSchema } from '../../src/model/item.ts'

/** Whatever has its final name in a folder of a destination has the bytes that the plans promise. @returns what is there */
export async function expectNothingPartial(destination: string, folder: string): Promise<string[]> {
  const found = await readdir(join(destination, folder), { recursive: true, withFileTypes: true }).catch(() => [])
  const promised = await promises(destination)
  const paths: string[] = []
  for (const entry of found) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const promise = promised.get(path)
    if (!promise) throw new Error(`${path} is not in the plan`)
    expect({ path, hex: await hashFile(path, promise.algorithm) }).toEqual({ path, hex: promise.hex })
    paths.push(path)
  }
  return paths
}

/** Path → checksum, from the plans of all batches. */
async function promises(destination: string): Promise<Map<string, { algorithm: string; hex: string }>> {
  const batches = join(destination, '.dataferry')
  const found = new Map<string, { algorithm: string; hex: string }>()
  for (const batch of await readdir(batches).catch(() => [])) {
    const text = await readFile(join(batches, batch, 'items.ndjson'), 'utf8').catch(() => '')
    for (const line of text.split('\n').slice(0, -1)) {
      const item = itemSchema.parse(JSON.parse(line))
      if (item.expect.checksum) found.set(join(destination, item.path), item.expect.checksum)
    }
  }
  return found
}

async function hashFile(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of createReadStream(path)) if (Buffer.isBuffer(chunk)) hash.update(chunk)
  return hash.digest('hex')
}
