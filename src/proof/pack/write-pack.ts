import { hash } from 'node:crypto'
import { link, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataferryError, systemCode } from '../../errors.ts'
import { makeFolders } from '../../make-folders.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { newOwner, ownerLiveness, ownProcess } from '../../process/process-identity.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { ABSENT, NO_LINKS, unless } from '../../sinks/disk/errors.ts'
import { syncFolder } from '../../sinks/disk/folders.ts'
import { removeEmptyWorkspace } from '../../sinks/disk/workspace.ts'
import type { Sink } from '../../sinks/sink.ts'
import { sinkError, translated } from '../disk-errors.ts'
import { putFile, stageOptions } from '../put-file.ts'
import type { PackEntry, Serialization } from './pack-entry.ts'
import { tarOf } from './tar.ts'
import { zipOf } from './zip.ts'

/** The last file of each form: what has one is whole. */
const MARKERS = ['bagit.txt', 'ro-crate-metadata.json', 'records.sha256'] as const

/** Where bags, crates and statements are written to. */
export interface PackTarget {
  readonly sink: Sink
  readonly serialization: Serialization
  /** The file that comes last in a store: nothing is a bag or crate without. */
  readonly marker: (typeof MARKERS)[number]
  /** Stands for what it is made of, and how: hex. */
  readonly stamp: string
  /** The file of the bag or crate that has the stamp in it. */
  readonly stamped: string
  /** With folders on the disk that the data is on: names the folder of the data, so that files become hard links. */
  readonly linkFrom?: string | undefined
  readonly now: Date
  readonly signal: AbortSignal
}

/** The name of a bag or crate at its target. */
export function packPath(name: string, serialization: Serialization): string {
  return serialization === 'folder' ? name : `${name}.${serialization}`
}

const KEY = 'pack-'

/** The key of a file: the same in every try, so that a later one drops what an earlier one left. */
export function putKey(path: string, { stamp }: Pick<PackTarget, 'stamp'>): string {
  return `${KEY}${stamp}-${hash('sha256', path).slice(0, 16)}`
}

/** Whether a key is that of a file at this path, of any try. */
function isPutKey(key: string, path: string): boolean {
  return key.startsWith(KEY) && key.endsWith(`-${hash('sha256', path).slice(0, 16)}`)
}

/**
 * Writes a bag or crate that shows under its name when it is whole; in a store, where folders are only names, its last file
 * makes it one. What an earlier try left is written anew. Rejects with `SINK_…` codes, and what the entries reject with.
 */
export async function writePack(name: string, entries: AsyncIterable<PackEntry>, target: PackTarget): Promise<void> {
  const { sink, serialization, now, signal } = target
  if (sink.url.startsWith('file:')) await refuseOccupied(packPath(name, serialization), target)
  // Whatever the flags and the form of a try that was stopped, nothing goes on with it.
  await sink.sweep(signal, (key) => key.startsWith(KEY))
  if (sink.url.startsWith('file:')) await removeUnfinished(fileURLToPath(sink.url), name)
  if (serialization === 'folder') {
    return sink.url.startsWith('file:') ? writeFolder(name, entries, target) : writeObjects(name, entries, target)
  }
  const packed = serialization === 'zip' ? zipOf(name, entries, now) : tarOf(name, entries, now)
  await put(target, packPath(name, serialization), undefined, packed)
}

/** Rejects with `SINK_EXISTS` where something has the name on a disk, so that nothing is read in vain. */
async function refuseOccupied(path: string, target: PackTarget): Promise<void> {
  const place = join(fileURLToPath(target.sink.url), path)
  const there = await translated(`look at ${place}`, () => unless(['ENOENT'], lstat(place)))
  if (!there) return
  const isEmpty = there.isDirectory() && (await translated(`list ${place}`, () => readdir(place))).length === 0
  if (target.serialization !== 'folder' || !isEmpty) throw inTheWay(path, target, 'something else')
}

async function writeObjects(name: string, entries: AsyncIterable<PackEntry>, target: PackTarget): Promise<void> {
  const release = await claimFolder(name, target)
  try {
    const left = await leftovers(name, target)
    for await (const { path, size, chunks } of entries) {
      if (path.endsWith('/')) continue
      if (path === target.marker) for (const one of left) await target.sink.remove(one)
      left.delete(`${name}/${path}`)
      await put(target, `${name}/${path}`, size, chunks)
    }
  } finally {
    await release()
  }
}

/** The right to write below a name in a store, whatever is made there; it ends with its process. Rejects with `SINK_BUSY`. @returns gives it back */
async function claimFolder(name: string, { sink, marker, signal }: PackTarget): Promise<() => Promise<void>> {
  const key = `${KEY}claim-${hash('sha256', name).slice(0, 16)}`
  const stage = await sink.stage(stageOptions({ path: `${name}/${marker}`, key, signal }))
  return async () => {
    await stage[Symbol.asyncDispose]()
    await sink.forget(key)
  }
}

/** What tries left below a name that were stopped, whatever their flags. Rejects with `SINK_EXISTS` when anything else is there. */
async function leftovers(name: string, target: PackTarget): Promise<Set<string>> {
  const { sink, signal } = target
  const paths = new Set<string>()
  let whole: string | undefined
  for await (const { path } of sink.list(signal, name)) {
    const key = putKey(path, target)
    const found = (await sink.stat(path, key, signal))?.key ?? ''
    if (!isPutKey(found, path)) throw inTheWay(path, target, 'something else')
    if (found !== key && MARKERS.some((marker) => path === `${name}/${marker}`)) whole = path
    paths.add(path)
  }
  if (whole !== undefined) throw inTheWay(whole, target, 'what was made with other flags, and is whole')
  return paths
}

function inTheWay(path: string, { sink }: PackTarget, what: string): DataferryError {
  const message = `${shownUrl(sink.url)}/${path} is in the way: it belongs to ${what}.`
  return new DataferryError('SINK_EXISTS', message, { advice: 'Move it away, or give another place with --to.' })
}

async function put(
  target: PackTarget,
  path: string,
  size: number | undefined,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { sink, signal } = target
  await putFile(sink, { path, key: putKey(path, target), size, signal }, chunks)
}

async function writeFolder(name: string, entries: AsyncIterable<PackEntry>, target: PackTarget): Promise<void> {
  const root = fileURLToPath(target.sink.url)
  await makeRoot(root)
  const folder = join(root, unfinishedName(name, newOwner(await ownProcess())))
  try {
    await fill(folder, entries, target)
    await translated(`publish ${join(root, name)}`, async () => {
      await rename(folder, join(root, name))
      await syncFolder(root)
    })
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** Rejects with `SINK_FULL` and `SINK_UNAVAILABLE`: without it nothing can be made. */
async function makeRoot(root: string): Promise<void> {
  try {
    await makeFolders(root)
  } catch (cause) {
    const error = sinkError(cause, `make ${root}`)
    if (!(error instanceof DataferryError) || error.code === 'SINK_FULL') throw error
    throw new DataferryError('SINK_UNAVAILABLE', error.message, { cause })
  }
}

async function fill(folder: string, entries: AsyncIterable<PackEntry>, target: PackTarget): Promise<void> {
  const folders = new Set<string>()
  const make = async (path: string): Promise<void> => {
    if (folders.has(path)) return
    await translated(`make ${path}`, () => mkdir(path, { recursive: true }))
    for (let at = path; at.startsWith(folder) && !folders.has(at); at = dirname(at)) folders.add(at)
  }
  for await (const { path, chunks, place } of entries) {
    target.signal.throwIfAborted()
    const whole = join(folder, path)
    await make(path.endsWith('/') ? join(folder, path.slice(0, -1)) : dirname(whole))
    if (path.endsWith('/')) continue
    const isLinked = place !== undefined && target.linkFrom !== undefined
    if (isLinked && (await isLink(join(target.linkFrom, place), whole))) continue
    await writeFile(whole, chunks, target.signal)
  }
  await translated(`sync ${folder}`, async () => {
    for (const one of folders) await syncFolder(one)
  })
}

/** Whether a file could be linked: then its bytes are only read to be hashed. */
async function isLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (NO_LINKS.includes(systemCode(error) ?? '')) return false
    throw sinkError(error, `link ${from}`)
  }
}

async function writeFile(path: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  const file = await translated(`write ${path}`, () => open(path, 'wx'))
  try {
    let size = 0
    for await (const chunk of chunks) {
      signal.throwIfAborted()
      const at = size
      await translated(`write ${path}`, () => writeAt(file, chunk, at))
      size += chunk.length
    }
    await translated(`write ${path}`, () => file.sync())
  } finally {
    await file.close()
  }
}

function unfinishedName(name: string, owner: string): string {
  return `.${name}.${owner}`
}

/** Removes what dead processes left of a bag. Rejects with `SINK_BUSY` while another process writes it. */
async function removeUnfinished(root: string, name: string): Promise<void> {
  const start = `.${name}.`
  for (const entry of (await translated(`list ${root}`, () => unless(ABSENT, readdir(root)))) ?? []) {
    if (!entry.startsWith(start)) continue
    const liveness = await ownerLiveness(entry.slice(start.length))
    if (liveness === 'alive') {
      throw new DataferryError('SINK_BUSY', `Another process is writing ${join(root, name)}.`)
    }
    if (liveness === 'dead') await translated(`remove ${entry}`, () => rm(join(root, entry), { recursive: true }))
  }
}

/** A disk keeps a folder for what is being written: it goes when it is empty. */
export async function tidy(sink: Sink): Promise<void> {
  await sink.close()
  if (sink.url.startsWith('file:')) await removeEmptyWorkspace(fileURLToPath(sink.url))
}
