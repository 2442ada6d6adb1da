import { DataferryError } from '../../errors.ts'
import { parseJson } from '../../json/parse-json.ts'
import { makeFolders } from '../../make-folders.ts'
import { translated } from '../disk-errors.ts'
import { DiskObjects } from './disk-objects.ts'
import { layoutOf, type Layout } from './layout.ts'

const ROOT_DECLARATION = '0=ocfl_1.1'
const LAYOUT_FILE = 'ocfl_layout.json'

/** An OCFL storage root on disk, and where objects are in it. */
export interface StorageRoot {
  readonly objects: DiskObjects
  readonly layout: Layout
}

/**
 * Opens a storage root, or makes one of an empty folder; one that exists keeps its layout. Rejects with `OCFL_REFUSED` for a root of
 * another version or layout, and for a folder that has something else in it; with `SINK_…` codes where the disk fails.
 * @param wanted undefined: 0004 for a new root
 */
export async function openStorageRoot(folder: string, wanted: Layout | undefined, usual: Layout): Promise<StorageRoot> {
  return translated(`open the storage root ${folder}`, () => openRoot(folder, wanted, usual))
}

async function openRoot(folder: string, wanted: Layout | undefined, usual: Layout): Promise<StorageRoot> {
  await makeFolders(folder)
  const objects = new DiskObjects(folder)
  const names = await objects.list('')
  const others = names.filter((name) => /^0=ocfl_/.test(name) && name !== ROOT_DECLARATION)
  if (others.length > 0) {
    throw refused(`${folder} is an OCFL storage root of another version (${others.join(', ')}): give another folder.`)
  }
  if (!names.includes(ROOT_DECLARATION)) {
    // What an earlier try may have left.
    const foreign = names.filter((name) => name !== LAYOUT_FILE && name !== 'extensions')
    if (foreign.length > 0) throw refused(`${folder} is no OCFL storage root, and not empty: give another folder.`)
    const layout = wanted ?? usual
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

async function writeLayout(objects: DiskObjects, { config, description }: Layout): Promise<void> {
  const { extensionName } = config
  await objects.replace(`extensions/${extensionName}/config.json`, `${JSON.stringify(config, null, 2)}\n`)
  await objects.replace(LAYOUT_FILE, `${JSON.stringify({ extension: extensionName, description }, null, 2)}\n`)
}

/** The layout that a storage root says it has; undefined where it says none that is known. */
async function readLayout(objects: DiskObjects): Promise<Layout | undefined> {
  const named = await readJson(objects, LAYOUT_FILE)
  const extension = typeof named === 'object' && named !== null && 'extension' in named ? named.extension : undefined
  if (typeof extension !== 'string' || !/^\d{4}-[a-z0-9-]{1,100}$/.test(extension)) return undefined
  // Without a file the defaults of the extension count.
  return layoutOf((await readJson(objects, `extensions/${extension}/config.json`)) ?? { extensionName: extension })
}

async function readJson(objects: DiskObjects, path: string): Promise<unknown> {
  const bytes = await objects.read(path)
  return bytes && parseJson(Buffer.from(bytes).toString('utf8'))
}

function refused(message: string): DataferryError {
  return new DataferryError('OCFL_REFUSED', message)
}
