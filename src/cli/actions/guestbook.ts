import { questionnaire } from '../../access/questionnaire.ts'
import type { NativeApi } from '../../dataverse/native-api.ts'
import { DataferryError } from '../../errors.ts'
import type { ListedVersion } from '../../model/listing.ts'
import type { Command } from '../command.ts'
import { identify, type Identified } from '../identify.ts'
import { refusedOrThrow } from '../refusal.ts'
import { Sources } from '../sources.ts'

/** What `dataferry guestbook` does. */
export const run: Command['run'] = async (context) => {
  const { config, args, out, signal } = context
  const [word = '', id = ''] = args
  if (word !== 'show') throw new DataferryError('ARGUMENT_INVALID', `There is no "guestbook ${word}"; use show.`)
  const named = identify(id, 'any', config)
  const { server } = named
  const sources = new Sources(context, [server])
  try {
    const { dataset, guestbookId } = await datasetOf(sources.native(server), named, id, signal)
    const guestbook =
      guestbookId === undefined ? undefined : await sources.access(server).guestbook(guestbookId, { signal })
    if (!guestbook?.enabled) {
      const why =
        guestbookId === undefined
          ? 'has no guestbook'
          : guestbook
            ? 'has a guestbook that is switched off'
            : `has guestbook ${guestbookId}, which the server does not show: before Dataverse 6.10 it asks programs for nothing`
      out.result(
        { event: 'guestbook', server, dataset, guestbook: null },
        `${dataset} ${why}. There is nothing to answer.`,
      )
      return 0
    }
    if (out.json) out.record({ event: 'guestbook', server, dataset, guestbook })
    else out.text(questionnaire(guestbook, server, dataset).trimEnd())
    return 0
  } catch (error) {
    return refusedOrThrow(error, context)
  } finally {
    await sources.close()
  }
}

/** The newest version of what is named. A number or PID may be a file's or a dataset's, and never is both. */
async function datasetOf(
  native: NativeApi,
  { target }: Identified,
  text: string,
  signal: AbortSignal,
): Promise<ListedVersion> {
  const asDataset = (dataset: number | string, version?: string) =>
    native.version(dataset, version ?? ':latest', signal)
  const asFile = async (file: number | string) => (await native.file(file, signal)).in
  switch (target.kind) {
    case 'file':
      return asFile(target.file).catch(unlessUnknown(() => asDataset(target.file)))
    case 'pid':
      return asDataset(target.pid, target.version).catch(unlessUnknown(() => asFile(target.pid)))
    case 'dataset':
    case 'dataset-zip':
      return asDataset(target.dataset, target.version)
    default:
      throw new DataferryError('ARGUMENT_INVALID', `${text} names neither a dataset nor a file.`)
  }
}

/** Tries the other thing where the first is not there; if neither is, the first error counts. */
function unlessUnknown<T>(other: () => Promise<T>): (error: unknown) => Promise<T> {
  return async (error) => {
    if (!(error instanceof DataferryError) || error.code !== 'SOURCE_NOT_FOUND') throw error
    return other().catch((second: unknown) => {
      throw second instanceof DataferryError && second.code === 'SOURCE_NOT_FOUND' ? error : second
    })
  }
}
