import { curates, latestReleased } from '../access.ts'
import { denied } from '../access.ts'
import { flag } from '../call.ts'
import type { Context, Visit } from '../context.ts'
import { variableId } from '../datafile.ts'
import type { DataFile } from '../datafile.ts'
import { fileElement, versionElement } from '../file-json.ts'
import { limit } from '../limiter.ts'
import { notPermitted, requireVersion } from '../lookup.ts'
import { failure, ok, Refusal, said, unknownRoute, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { draftOf, releasedVersions } from '../world.ts'
import type { FileMeta, Version } from '../world.ts'

/** `GET /api/files/{id}/...` */
export async function getFiles(visit: Visit, segments: readonly string[], context: Context): Promise<Reply> {
  const [id = '', section, selector] = segments
  if (id === 'fixityAlgorithm') return said('MD5', context.settings.topLevelMessages)
  const file = requireFile(visit, id, context)
  limit(visit, 'GetDataFileCommand', context)
  if (section === undefined) return fileMetadata(visit, file, visibleVersion(visit, file))
  if (section === 'versions' && selector !== undefined)
    return fileMetadata(visit, file, requireVersion(visit, file.dataset, selector))
  if (section === 'hasBeenDeleted') return ok(!find(latestReleased(file.dataset) ?? draftOf(file.dataset), file))
  if (section === 'downloadCount') return said(String(context.downloads(file.id)), context.settings.topLevelMessages)
  if (section === 'dataTables') {
    unless('paging', context.features, visit.call)
    return dataTables(visit, file, context)
  }
  throw unknownRoute(visit.call)
}

function requireFile({ call }: Visit, id: string, context: Context): DataFile {
  if (id === ':persistentId') {
    const pid = call.query.get('persistentId') ?? ''
    const found = context.world.fileByPid(pid, context.features.foldedDois)
    if (!found) throw new Refusal(failure(404, `Datafile with Persistent ID ${pid} not found.`))
    return found
  }
  if (!/^\d+$/.test(id)) throw new Refusal(failure(400, `Bad file id ${id}`))
  const found = context.world.file(Number(id))
  if (!found) throw new Refusal(failure(404, `File with ID ${id} not found.`))
  return found
}

/** The newest version with the file that the caller may see. */
function visibleVersion(visit: Visit, file: DataFile): Version {
  const { dataset } = file
  const permitted = curates(visit.user, dataset)
  const draft = draftOf(dataset)
  if (permitted && draft && find(draft, file)) return draft
  const released = [...releasedVersions(dataset)].reverse().find((version) => find(version, file))
  if (released) return released
  const gone = dataset.versions.find((version) => version.state === 'DEACCESSIONED' && find(version, file))
  if (gone && permitted && flag(visit.call, 'includeDeaccessioned')) return gone
  if (gone) throw new Refusal(failure(404, notInVersion(file, ':latest')))
  throw new Refusal(failure(401, notPermitted(visit.user)))
}

function find(version: Version | undefined, file: DataFile): FileMeta | undefined {
  if (!version) return undefined
  if (version.files.sorted)
    return { file, label: file.label, directory: file.directory, restricted: file.spec.restricted ?? false }
  for (let index = 0; index < version.files.length; index += 1)
    if (version.files.at(index).file.id === file.id) return version.files.at(index)
  return undefined
}

function notInVersion(file: DataFile, selector: string): string {
  return `"File metadata for file with id ${file.id} in dataset version ${selector} not found"`
}

async function fileMetadata(visit: Visit, file: DataFile, version: Version): Promise<Reply> {
  const meta = find(version, file)
  if (!meta) throw new Refusal(failure(404, notInVersion(file, version.number)))
  const element = await fileElement(meta, version)
  if (!flag(visit.call, 'returnDatasetVersion')) return ok(element)
  return ok({ ...element, datasetVersion: versionElement(version, file.dataset) })
}

/** Variable ids, for `variables=`. */
function dataTables(visit: Visit, file: DataFile, context: Context): Reply {
  if (!file.tabular) throw new Refusal(failure(400, 'This operation is only available for tabular files.'))
  if (denied(file, visit.user, context))
    throw new Refusal(failure(403, 'Insufficient permissions to access the requested information.'))
  const dataVariables = file.tabular.variables.map((name, column) => ({ id: variableId(file, column), name }))
  return ok([{ id: file.id, varQuantity: dataVariables.length, dataVariables }])
}
