import { safeFilePath, safePath } from '../model/path.ts'
import type { MirrorOrder } from './order.ts'

/**
 * The folder that shows a version of a dataset, relative to the destination.
 * @param folder of the dataset
 * @param number of the version
 */
export function versionFolder({ versions }: Pick<MirrorOrder, 'versions'>, folder: string, number: string): string {
  return versions === 'all' ? `${folder}/v${number}` : folder
}

/**
 * Where a file of a version is shown, if no other file has that path.
 * @param top the folder of the version
 * @param directory `/` between segments; '' at the top
 */
export function shownPath(top: string, directory: string, name: string): string {
  // Cut as a whole: the folder counts as well.
  return safePath(`${top}/${safeFilePath(directory, name).path}`).path
}
