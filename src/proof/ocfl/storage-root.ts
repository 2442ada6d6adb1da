import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataferryError } from '../../errors.ts'
import { parseJson } from '../../json/parse-json.ts'
import { makeFolders } from '../../make-folders.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Sink } from '../../sinks/sink.ts'
import { translated } from '../disk-errors.ts'
import { DiskObjects } from './disk-objects.ts'
import { layoutOf, usualLayout, type Layout } from './layout.ts'
import { EXTENSIONS, type Objects } from './objects.ts'
import { StoredObjects } from './stored-objects.ts'

const ROOT_DECLARATION = '0=ocfl_1.1'
const LAYOUT_FILE = 'ocfl_layout.json'

/** An OCFL storage root, and where objects are in it. */
export interface StorageRoot {
  readonly objects: Objects
  readonly layout: Layout
}

/** Where a storage root is, or is to be. */
export interface RootPlace {
  /** The destination: a folder, or a prefix of a bucket. */
  readonly sink: Sink
  /** In the destination; '': all of it. */
  readonly folder: string
  /** Of a new root, or what a root must have; undefined: any, and 0004 for a new one. */
  readonly layout?: Layout | undefined
  readonly signal: AbortSignal
}

/**
 * Opens a storage root, or makes one of an empty folder; one that exists keeps its layout. Rejects with `OCFL_REFUSED` for a root of
 * another version or layout, and for a folder that has something else in it; with `SINK_…` codes where the disk or store fails.
 */
export async function openStorageRoot(place: RootPlace): Promise<StorageRoot> {
  const { sink, folder } = place
  const shown = `${shownUrl(sink.url)}${folder === '' ? '' : `/${folder}`}`
  return translated(`open the storage root ${shown}`, async () => openRoot(await objectsAt(place), shown, place.layout))
}

async function objectsAt({ sink, folder, signal }: RootPlace): Promise<Objects> {
  if (!sink.url.startsWith('file:')) return new StoredObjects(sink, folder, signal)
  const home = fileURLToPath(sink.url)
  const root = join(home, folder)
  await makeFolders(root)
  return new DiskObjects(root, home)
}

async function openRoot(objects: Objects, folder: string, wanted: Layout | undefined): Promise<StorageRoot> {
  // All that a bucket has is not listed for what it has in one place.
  const isRoot = (await objects.read(ROOT_DECLARATION)) !== undefined
  const names = isRoot ? [] : await objects.list('')
  const others = names.filter((name) => /^0=ocfl_/.test(name))
  if (others.length > 0) {
    throw refused(`${folder} is an OCFL storage root of another version (${others.join(', ')}): give another folder.`)
  }
  if (!isRoot) {
    // What an earlier try may have left.
    const foreign = names.filter((name) => name !== LAYOUT_FILE && name !== EXTENSIONS)
    if (foreign.length > 0) throw refused(`${folder} is no OCFL storage root, and not empty: give another folder.`)
    const layout = wanted ?? usualLayout()
    await writeLayout(objects, layout)
    await objects.replace(ROOT_DECLARATION, `${ROOT_DECLARATION.slice(2)}\n`)
    return { objects, layout }
  }
  await objects.tidy()
  const layout = await readLayout(objects)
  if (!layout) {
    throw refused(`${folder} has a storage layout that dataferry does not know: it writes 0003 and 0004.`)
  }
  const { config } = layout
  if (wanted && JSON.stringify(wanted.config) !== JSON.stringify(config)) {
    throw refused(
      `${folder} has the layout ${config.extensionName} already: leave --layout out, or give another folder.`,
    )
  }
  return { objects, layout }
}

async function writeLayout(objects: Objects, { config, description }: Layout): Promise<void> {
  const { extensionName } = config
  await objects.replace(`extensions/${extensionName}/config.json`, `${JSON.stringify(config, null, 2)}\n`)
  await objects.replace(LAYOUT_FILE, `${JSON.stringify({ extension: extensionName, description }, null, 2)}\n`)
}

/** The layout that a storage root says it has; undefined where it says none that is known. */
async function readLayout(objects: Objects): Promise<Layout | undefined> {
  const named = await readJson(objects, LAYOUT_FILE)
  const extension = typeof named === 'object' && named !== null && 'extension' in named ? named.extension : undefined
  if (typeof extension !== 'string' || !/^\d{4}-[a-z0-9-]{1,100}$/.test(extension)) return undefined
  // Without a file the defaults of the extension count.
  return layoutOf((await readJson(objects, `extensions/${extension}/config.json`)) ?? { extensionName: extension })
}

async function readJson(objects: Objects, path: string): Promise<unknown> {
  const bytes = await objects.read(path)
  return bytes && parseJson(Buffer.from(bytes).toString('utf8'))
}

function refused(message: string): DataferryError {
  return new DataferryError('OCFL_REFUSED', message)
}
