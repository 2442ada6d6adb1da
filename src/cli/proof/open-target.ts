import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isDestination } from '../../batch/destination.ts'
import { DataferryError, systemCode } from '../../errors.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { translated } from '../../proof/disk-errors.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { isWithin } from '../../model/is-within.ts'
import { openDestination } from '../destination.ts'

/**
 * Opens the place that `--to` names for what is made of data. The caller closes it. Rejects, before anything is read, with
 * `ARGUMENT_INVALID` where it is the place of data, of this or of other, or in that of this; with `SINK_EXISTS` where it is a file.
 */
export async function openTarget({ config }: Context, from: Pick<Sink, 'url'>): Promise<Sink> {
  const to = await openDestination(config)
  try {
    // A bag among the data would be taken for data.
    if (isWithin(await realUrl(to.url), [await realUrl(from.url)])) {
      throw invalid('--to is the place of the data itself, or in it: give another one.')
    }
    if (await isDestination(to.records)) {
      throw invalid(`${shownUrl(to.url)} holds data that dataferry has fetched: give another place with --to.`)
    }
    return to
  } catch (error) {
    await to.close()
    throw error
  }
}

function invalid(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}

/** With links followed, as far as there is something. Rejects with `SINK_EXISTS` where a file is, or would have to be passed. */
async function realUrl(url: string): Promise<string> {
  if (!url.startsWith('file:')) return url
  const path = fileURLToPath(url)
  return translated(`use ${path}`, async () => pathToFileURL(await realFolder(path)).href)
}

async function realFolder(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) return await realpath(path)
  } catch (error) {
    // What lies below a file is named by that.
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') || path === dirname(path)) throw error
    return join(await realFolder(dirname(path)), basename(path))
  }
  throw new DataferryError('SINK_EXISTS', `${path} is not a folder.`, { advice: 'Give another place.' })
}
