import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { systemCode } from '../errors.ts'

/** A file of the pages. */
export interface Asset {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  readonly etag: string
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Where the build puts the pages: beside the program. */
const BUILT = fileURLToPath(new URL('./dashboard-pages/', import.meta.url))

/** All files of the pages by name, read once: a request names one of these, and never a file. */
export async function readAssets(folder = BUILT): Promise<ReadonlyMap<string, Asset>> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  })
  const known = names.filter((name) => Object.hasOwn(TYPES, extname(name)))
  return new Map(await Promise.all(known.map(async (name) => [name, await readAsset(folder, name)] as const)))
}

async function readAsset(folder: string, name: string): Promise<Asset> {
  const bytes = Uint8Array.from(await readFile(join(folder, name)))
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { bytes, type: TYPES[extname(name)] ?? '', etag }
}
