import { randomUUID } from 'node:crypto'
import { readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LoadedConfig } from '../../config/config.ts'
import { DataferryError, messageOf } from '../../errors.ts'
import { makeFolders } from '../../make-folders.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import { openDestination } from '../destination.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { formatBytes } from '../../model/format.ts'
import type { Finding } from './finding.ts'

const check = 'Destination'
const LITTLE_SPACE = 1024 ** 3
const TEXT = 'written by dataferry doctor\n'

/** Whether a file can be written to the destination, listed and deleted, and how much space is free. Leaves nothing behind. */
export async function checkDestination(config: LoadedConfig): Promise<Finding> {
  try {
    const sink = await openDestination(config)
    try {
      const name = `doctor-${randomUUID().slice(0, 8)}`
      if (sink.url.startsWith('file:')) await tryFolder(fileURLToPath(sink.url), `.dataferry-${name}`)
      else await tryRecords(sink.records, name)
      return await space(sink)
    } finally {
      await sink.close()
    }
  } catch (error) {
    const fix =
      error instanceof DataferryError ? error.advice : 'Choose another folder with --to, or change its permissions.'
    return { check, health: 'fail', message: messageOf(error), fix }
  }
}

async function space(sink: Sink): Promise<Finding> {
  const works = `${shownUrl(sink.url)} can be written, listed and deleted from`
  const free = await sink.free()
  if (free === undefined) return { check, health: 'ok', message: works }
  const message = `${works}; ${formatBytes(free)} free`
  return free < LITTLE_SPACE
    ? { check, health: 'warn', message, fix: 'Free some space, or choose another destination with --to.' }
    : { check, health: 'ok', message }
}

/** Removes the folders it had to make. */
async function tryFolder(folder: string, name: string): Promise<void> {
  const made = await makeFolders(folder)
  const path = join(folder, name)
  try {
    await writeFile(path, TEXT, { flag: 'wx' })
    if (!(await readdir(folder)).includes(name)) throw new Error(`${folder} does not list the file that was written`)
    await rm(path)
  } finally {
    await rm(path, { force: true })
    if (made !== undefined) await removeFolders(folder, made)
  }
}

/** Removes empty folders from `last` up to `first`. */
async function removeFolders(last: string, first: string): Promise<void> {
  for (let at = last; ; at = dirname(at)) {
    await rmdir(at)
    if (at === first || at === dirname(at)) return
  }
}

async function tryRecords(records: Records, folder: string): Promise<void> {
  const name = `${folder}/probe`
  try {
    await records.write(name, TEXT)
    if ((await records.list(folder)).length !== 1) throw new Error('the store does not list what was written')
  } finally {
    await records.remove(name)
  }
}
