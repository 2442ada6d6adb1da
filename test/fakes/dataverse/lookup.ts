import { curates } from './access.ts'
import type { Call } from './call.ts'
import type { Context, User, Visit } from './context.ts'
import type { DataFile } from './datafile.ts'
import { failure, Refusal, thrown } from './reply.ts'
import { draftOf } from './world.ts'
import type { Dataset, Version } from './world.ts'

/** The file a download route names: by number, by `:persistentId`, or as the last segment of a made-up path. */
export function findDataFile(call: Call, segments: readonly string[], context: Context): DataFile | undefined {
  const last = segments.at(-1) ?? ''
  if (last === ':persistentId')
    return context.world.fileByPid(call.query.get('persistentId') ?? '', context.features.foldedDois)
  return /^\d+$/.test(last) ? context.world.file(Number(last)) : undefined
}

/** As `findDataFile`; an unknown one is 404 with the text that every unknown route has. */
export function requireDataFile(call: Call, segments: readonly string[], context: Context): DataFile {
  const file = findDataFile(call, segments, context)
  if (!file) throw new Refusal(thrown(call, 404))
  return file
}

export function requireDataset(call: Call, id: string, context: Context): Dataset {
  if (id === ':persistentId') {
    const pid = call.query.get('persistentId') ?? ''
    const found = context.world.datasetByPid(pid, context.features.foldedDois)
    if (!found) throw new Refusal(failure(404, `Dataset with Persistent ID ${pid} not found.`))
    return found
  }
  const found = /^\d+$/.test(id) ? context.world.datasets.get(Number(id)) : undefined
  if (!found) throw new Refusal(failure(404, `Dataset with ID ${id} not found.`))
  return found
}

/**
 * What a version selector means to a user. `undefined`: no such version, or none that may be seen.
 * @param deaccessioned the latest published version may be one that was deaccessioned
 */
export function selectVersion(
  dataset: Dataset,
  selector: string,
  user: User | undefined,
  deaccessioned = false,
): Version | undefined {
  const permitted = curates(user, dataset)
  const states = deaccessioned ? ['RELEASED', 'DEACCESSIONED'] : ['RELEASED']
  const released = dataset.versions.filter(({ state }) => states.includes(state)).at(-1)
  if (selector === ':latest') return (permitted ? draftOf(dataset) : undefined) ?? released
  if (selector === ':latest-published') return released
  if (selector === ':draft') {
    if (!permitted) throw new Refusal(failure(401, notPermitted(user)))
    return draftOf(dataset)
  }
  if (!/^\d+(\.\d+)?$/.test(selector)) throw new Refusal(failure(400, `Illegal version identifier '${selector}'`))
  const number = selector.includes('.') ? selector : `${selector}.0`
  return dataset.versions.find((version) => version.state !== 'DRAFT' && version.number === number)
}

export function notPermitted(user: User | undefined): string {
  return `User ${user?.name ?? ':guest'} is not permitted to perform requested action.`
}

/** A version for the metadata routes: deaccessioned ones only when asked for with edit rights (note §6.1). */
export function requireVersion(
  visit: Visit,
  dataset: Dataset,
  selector: string,
  options: { readonly anyoneSeesDeaccessioned?: boolean } = {},
): Version {
  const asked = visit.call.query.get('includeDeaccessioned') === 'true'
  const version = selectVersion(dataset, selector, visit.user, asked)
  const permitted = options.anyoneSeesDeaccessioned === true || curates(visit.user, dataset)
  if (!version || (version.state === 'DEACCESSIONED' && !(asked && permitted)))
    throw new Refusal(failure(404, `Dataset version ${selector} of dataset ${dataset.id} not found`))
  return version
}
