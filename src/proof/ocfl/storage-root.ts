import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataferryError } from '../../errors.ts'
import { parseJson } from '../../json/parse-json.ts'
import { makeFolders } from '../../make-folders.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Sink } from '../../sinks/sink.ts'
import { translated } from '../disk-errors.ts'
import { DiskObjects } from './disk-objects.ts'
import { declarationText } from './inventory.ts'
import { layoutOf, usualLayout, type Layout } from './layout.ts'
import { EXTENSIONS, type Objects } from './objects.ts'
import { openObject } from './open-object.ts'
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
  return translated(`open the storage root ${shown(place)}`, async () => {
    const root = (await existing(place)) ?? (await made(place))
    await tidy(root.objects)
    return root
  })
}

/** Puts right what dead processes left of versions, where there is a storage root. Repeatable. Rejects with `SINK_…` codes. */
export async function tidyStorageRoot(place: RootPlace): Promise<void> {
  await translated(`put the storage root ${shown(place)} right`, async () => {
    const objects = objectsAt(place)
    if (await objects.read(ROOT_DECLARATION)) await tidy(objects)
  })
}

async function tidy(objects: Objects): Promise<void> {
  await objects.tidy(async (object) => {
    try {
      await openObject(objects, object)
    } catch (error) {
      // What another program has done to it is told to who writes it next.
      if (!(error instanceof DataferryError) || !['OCFL_REFUSED', 'SINK_BUSY'].includes(error.code)) throw error
    }
  })
}

/** As `openStorageRoot`, and makes none: one that lost its declaration has the layout that nobody chose. */
export async function storageRootAt(place: RootPlace): Promise<StorageRoot> {
  return translated(`open the storage root ${shown(place)}`, async () => {
    return (await existing(place)) ?? { objects: objectsAt(place), layout: usualLayout() }
  })
}

function shown({ sink, folder }: RootPlace): string {
  return `${shownUrl(sink.url)}${folder === '' ? '' : `/${folder}`}`
}

/** The objects of a place, whatever it says of itself: what is not about where they are. */
export function objectsAt({ sink, folder, signal }: Omit<RootPlace, 'layout'>): Objects {
  if (!sink.url.startsWith('file:')) return new StoredObjects(sink, folder, signal)
  const home = fileURLToPath(sink.url)
  return new DiskObjects(join(home, folder), home)
}

async function made(place: RootPlace): Promise<StorageRoot> {
  const { sink, folder, layout = usualLayout() } = place
  if (sink.url.startsWith('file:')) await makeFolders(join(fileURLToPath(sink.url), folder))
  const objects = objectsAt(place)
  const names = await objects.list('')
  const others = names.filter((name) => name.startsWith('0=ocfl_') && name !== ROOT_DECLARATION)
  if (others.length > 0) {
    const message = `${shown(place)} is an OCFL storage root of another version (${others.join(', ')}): give another folder.`
    throw refused(message)
  }
  // What an earlier try may have left.
  const foreign = names.filter((name) => !isFrame(name))
  if (foreign.length > 0) throw refused(`${shown(place)} is no OCFL storage root, and not empty: give another folder.`)
  for (const [path, text] of rootFiles(layout)) await objects.replace(path, text)
  return { objects, layout }
}

async function existing(place: RootPlace): Promise<StorageRoot | undefined> {
  const objects = objectsAt(place)
  if (!(await objects.read(ROOT_DECLARATION))) return undefined
  if (!(await objects.read(LAYOUT_FILE))) {
    // One that another program has made, and nothing is in yet, may have any.
    if ((await objects.list('')).every(isFrame)) return undefined
    throw refused(`${shown(place)} does not say which storage layout it has: give another folder.`)
  }
  const extension = await layoutName(objects)
  const layout = extension === undefined ? undefined : await readLayout(objects, extension)
  if (!layout) {
    const isKnown = layoutOf({ extensionName: extension }) !== undefined
    const why = isKnown
      ? `settings of its storage layout that are not as the extension says (${EXTENSIONS}/${extension ?? ''}/config.json).`
      : 'a storage layout that dataferry does not know: it writes 0003 and 0004.'
    throw refused(`${shown(place)} has ${why}`)
  }
  const { config } = layout
  if (place.layout && JSON.stringify(place.layout.config) !== JSON.stringify(config)) {
    throw refused(
      `${shown(place)} has the layout ${config.extensionName} already: leave --layout out, or give another folder.`,
    )
  }
  return { objects, layout }
}

function isFrame(name: string): boolean {
  return [ROOT_DECLARATION, LAYOUT_FILE, EXTENSIONS].includes(name)
}

/** What a storage root has beside its objects, by path: its declaration, which makes it one, last. */
export function rootFiles({ config, description }: Layout): readonly (readonly [path: string, text: string])[] {
  const { extensionName } = config
  return [
    [`${EXTENSIONS}/${extensionName}/config.json`, `${JSON.stringify(config, null, 2)}\n`],
    [LAYOUT_FILE, `${JSON.stringify({ extension: extensionName, description }, null, 2)}\n`],
    [ROOT_DECLARATION, declarationText(ROOT_DECLARATION)],
  ]
}

/** The extension that a storage root says it is laid out by. */
async function layoutName(objects: Objects): Promise<string | undefined> {
  const named = await readJson(objects, LAYOUT_FILE)
  const extension = typeof named === 'object' && named !== null && 'extension' in named ? named.extension : undefined
  return typeof extension === 'string' && /^\d{4}-[a-z0-9-]{1,100}$/.test(extension) ? extension : undefined
}

/** @returns undefined for one that is not known, and for settings that it cannot have */
async function readLayout(objects: Objects, extension: string): Promise<Layout | undefined> {
  // Without a file the defaults of the extension count.
  return layoutOf((await readJson(objects, `${EXTENSIONS}/${extension}/config.json`)) ?? { extensionName: extension })
}

async function readJson(objects: Objects, path: string): Promise<unknown> {
  const bytes = await objects.read(path)
  return bytes && parseJson(Buffer.from(bytes).toString('utf8'))
}

function refused(message: string): DataferryError {
  return new DataferryError('OCFL_REFUSED', message)
}
