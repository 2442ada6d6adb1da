import { constants, type Stats } from 'node:fs'
import { unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { checksumSchema, checksumsSchema } from '../../model/checksum.ts'
import { VERIFIED } from '../../model/receipt.ts'
import { openPlain, readPlain } from './bytes.ts'
import { ABSENT, unless } from './errors.ts'
import type { Folders } from './folders.ts'
import type { Proof } from '../sink.ts'

const markSchema = z.object({
  path: z.string(),
  /** Inode number, which stays the same when a part is renamed into place. */
  inode: z.number(),
  /** Modification time in milliseconds. */
  modified: z.number(),
  proof: z.object({
    checksum: checksumSchema,
    digests: checksumsSchema.optional(),
    size: z.number(),
    verified: z.enum(VERIFIED),
  }),
})

/** File systems keep times as coarsely as this (FAT), and round them when a file leaves the cache. */
const TIME_GRAIN_MS = 2000

/**
 * What a commit proved about a file without a published checksum, kept beside the parts until the item is forgotten:
 * without it a crash between commit and receipt would mean fetching the file again.
 *
 * A mark is written before its part is published. It identifies the file by its inode number, so the mark of a commit that
 * then failed says nothing about another file at that path.
 */
export class DiskMarks {
  readonly #folders: Folders
  readonly #folder: string

  /** @param folder of the marks, relative to the root; must exist */
  constructor(folders: Folders, folder: string) {
    this.#folders = folders
    this.#folder = folder
  }

  /** Writes the durable mark for a part that is complete but not published yet. */
  async write(key: string, path: string, proof: Proof, part: FileHandle): Promise<void> {
    const { ino, mtimeMs } = await part.stat()
    const mark: z.infer<typeof markSchema> = { path, inode: ino, modified: mtimeMs, proof }
    const handle = await openPlain(this.#path(key), constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC)
    try {
      await handle.writeFile(JSON.stringify(mark))
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await this.#folders.sync(this.#folder)
  }

  async remove(key: string): Promise<void> {
    await unless(ABSENT, unlink(this.#path(key)))
  }

  #path(key: string): string {
    return join(this.#folders.path(this.#folder), `${key}.json`)
  }
}

/** The proof in a mark file, if it is about this path and this file; a torn or foreign mark proves nothing. */
export async function readMark(file: string, path: string, stats: Stats): Promise<Proof | undefined> {
  const bytes = await unless([...ABSENT, 'ELOOP'], readPlain(file))
  if (bytes === undefined) return undefined
  const mark = markSchema.safeParse(parseJson(Buffer.from(bytes).toString('utf8'))).data
  if (mark?.path !== path || mark.inode !== stats.ino || mark.proof.size !== stats.size) return undefined
  return Math.abs(mark.modified - stats.mtimeMs) < TIME_GRAIN_MS ? mark.proof : undefined
}
