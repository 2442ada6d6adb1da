import { constants } from 'node:fs'
import { link, lstat, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DataferryError, systemCode } from '../../errors.ts'
import { openPlain, readAt, readPlain, writeAt } from './bytes.ts'
import { ABSENT, NO_LINKS, unless } from './errors.ts'
import { parentOf } from './folders.ts'
import { publishFile } from './publish-file.ts'
import type { Volume } from './volume.ts'
import type { Workspace } from './workspace.ts'
import { DiskLog } from './log.ts'
import { checkRecordName, RECORDS_FOLDER, RESERVED_FOLDERS } from '../names.ts'
import { pieces } from '../pieces.ts'
import type { RecordLog, Records } from '../sink.ts'

/** Bytes of a record read or written at a time: enough for a system call, and small enough to be collected early. */
const PIECE = 64 * 1024

/** Records as plain files below `.dataferry/`. A folder exists as long as something is in it. */
export class DiskRecords implements Records {
  readonly #base: string
  readonly #volume: Volume
  readonly #workspace: () => Promise<Workspace>
  readonly #onFound: () => void
  readonly #openLogs = new Set<string>()

  /** @param workspace `open` creates the folders on first use, so that reading never changes a place; `onFound` hears of records */
  constructor(volume: Volume, workspace: { readonly open: () => Promise<Workspace>; readonly onFound: () => void }) {
    this.#base = join(volume.root, RECORDS_FOLDER)
    this.#volume = volume
    this.#workspace = workspace.open
    this.#onFound = workspace.onFound
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const path = this.#path(name)
    const found = await this.#volume.run(`read the record ${name}`, () => unless(ABSENT, readPlain(path)))
    if (found) this.#onFound()
    return found
  }

  async write(name: string, content: AsyncIterable<Uint8Array> | Uint8Array | string): Promise<void> {
    checkRecordName(name)
    await this.#volume.run(`write the record ${name}`, async () => {
      const workspace = await this.#workspace()
      await publishFile(workspace, `${RECORDS_FOLDER}/${name}`, (handle) => writeContent(handle, content))
    })
  }

  async create(name: string, content: string): Promise<boolean> {
    checkRecordName(name)
    return this.#volume.run(`write the record ${name}`, async () => {
      let isNew = false
      const write = (handle: FileHandle): Promise<void> => writeContent(handle, content)
      await publishFile(await this.#workspace(), `${RECORDS_FOLDER}/${name}`, write, async (temporary, path) => {
        isNew = await linkNew(temporary, path)
        await unless(ABSENT, unlink(temporary))
      })
      return isNew
    })
  }

  async list(folder: string): Promise<readonly string[]> {
    checkRecordName(folder)
    return this.#volume.run(`list the records in ${folder}`, async () => {
      const found = await unless(ABSENT, readdir(join(this.#base, folder), { recursive: true, withFileTypes: true }))
      const files = (found ?? []).filter((entry) => entry.isFile())
      return files.map((entry) => join(entry.parentPath, entry.name).slice(this.#base.length + 1)).sort()
    })
  }

  async folders(below?: string): Promise<readonly string[]> {
    const path = below === undefined ? this.#base : this.#path(below)
    return this.#volume.run(`list the folders in ${path}`, async () => {
      const found = await unless(ABSENT, readdir(path, { withFileTypes: true }))
      const folders = (found ?? []).filter((entry) => entry.isDirectory()).map((entry) => entry.name)
      return folders.filter((name) => below !== undefined || !RESERVED_FOLDERS.includes(name)).sort()
    })
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name)
    await this.#volume.run(`remove the record ${name}`, async () => {
      const removed = await unless(
        ABSENT,
        unlink(path).then(() => true),
      )
      if (!removed) return
      const { folders } = await this.#workspace()
      await folders.prune(recordFolder(name))
    })
  }

  async moveFolder(from: string, to: string): Promise<void> {
    const path = this.#path(from)
    checkRecordName(to)
    await this.#volume.run(`move the records in ${from}`, async () => {
      if (!(await unless(ABSENT, lstat(path)))) return
      const { folders } = await this.#workspace()
      await folders.change(recordFolder(to), (folder) => rename(path, join(folder, basename(to))))
      folders.forget(`${RECORDS_FOLDER}/${from}`)
      await folders.prune(recordFolder(from))
    })
  }

  async appendTo(name: string, length?: number): Promise<RecordLog> {
    checkRecordName(name)
    if (this.#openLogs.has(name)) throw new DataferryError('SINK_BUSY', `The log ${name} is already open for writing.`)
    this.#openLogs.add(name)
    const onClose = (): void => void this.#openLogs.delete(name)
    try {
      return await this.#volume.run(`open the log ${name}`, async () => {
        const { folders } = await this.#workspace()
        let handle: FileHandle | undefined
        try {
          handle = await folders.change(recordFolder(name), async (folder) => {
            const path = join(folder, basename(name))
            return (handle = await openPlain(path, constants.O_RDWR | constants.O_CREAT))
          })
          const size = await cut(handle, name, length)
          return new DiskLog(name, handle, size, { volume: this.#volume, onClose })
        } catch (error) {
          await handle?.close()
          throw error
        }
      })
    } catch (error) {
      onClose()
      throw error
    }
  }

  async readLog(name: string, from: number, to: number): Promise<Uint8Array> {
    const path = this.#path(name)
    return this.#volume.run(`read the log ${name}`, async () => {
      const handle = await unless(ABSENT, openPlain(path, constants.O_RDONLY))
      if (!handle) return new Uint8Array()
      try {
        const { size } = await handle.stat()
        return await readAt(handle, from, Math.max(0, Math.min(to, size) - from))
      } finally {
        await handle.close()
      }
    })
  }

  async *streamLog(name: string, from: number): AsyncGenerator<Uint8Array> {
    const handle = await this.#volume.run(`read the log ${name}`, () =>
      unless(ABSENT, openPlain(this.#path(name), constants.O_RDONLY)),
    )
    if (!handle) return
    try {
      const { size } = await handle.stat()
      for (let position = from; position < size;) {
        const length = Math.min(PIECE, size - position)
        const at = position
        const chunk = await this.#volume.run(`read the log ${name}`, () => readAt(handle, at, length))
        if (chunk.length === 0) return
        position += chunk.length
        yield chunk
      }
    } finally {
      await handle.close()
    }
  }

  #path(name: string): string {
    checkRecordName(name)
    return join(this.#base, name)
  }
}

function recordFolder(name: string): string {
  return parentOf(`${RECORDS_FOLDER}/${name}`)
}

async function writeContent(
  handle: FileHandle,
  content: AsyncIterable<Uint8Array> | Uint8Array | string,
): Promise<void> {
  if (typeof content === 'string' || content instanceof Uint8Array) return handle.writeFile(content)
  let position = 0
  for await (const piece of pieces(content, PIECE)) {
    await writeAt(handle, piece, position)
    position += piece.length
  }
}

/** Cuts a log to `length` if given. @returns its length */
async function cut(handle: FileHandle, name: string, length: number | undefined): Promise<number> {
  const { size } = await handle.stat()
  if (length === undefined || length === size) return size
  if (size < length) {
    throw new DataferryError('SINK_FAILED', `The log ${name} has ${size} bytes but ${length} were recorded.`)
  }
  await handle.truncate(length)
  await handle.datasync()
  return length
}

/** @returns false: something is at the path already */
async function linkNew(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    const code = systemCode(error) ?? ''
    if (code === 'EEXIST') return false
    if (!NO_LINKS.includes(code)) throw error
  }
  // Where there are no links, an empty file takes the path first.
  const taken = await unless(['EEXIST'], open(path, 'wx'))
  if (!taken) return false
  await taken.close()
  await rename(temporary, path)
  return true
}
