import { curates, latestReleased } from '../access.ts'
import { denied } from '../access.ts'
import { flag, integer } from '../call.ts'
import type { Context, Visit } from '../context.ts'
import { versionElement } from '../file-json.ts'
import { limit } from '../limiter.ts'
import { accessStatus, listFiles, withFiles } from '../listing.ts'
import { notPermitted, requireDataset, requireVersion } from '../lookup.ts'
import { failure, html, ok, Refusal, unknownRoute, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { draftOf, releasedVersions } from '../world.ts'
import type { Collection, Dataset, FileMeta, Version } from '../world.ts'

/** `GET /api/datasets/{id}/...` */
export function getDatasets(visit: Visit, segments: readonly string[], context: Context): Reply {
  const [id = '', section, selector, ...rest] = segments
  const dataset = requireDataset(visit.call, id, context)
  if (section === undefined) return getDataset(visit, dataset, context)
  if (section === 'locks') return ok([])
  if (section === 'dirindex') return dirIndex(visit, dataset)
  if (section !== 'versions') throw unknownRoute(visit.call)
  if (selector === undefined) return listVersions(visit, dataset, context)
  limit(visit, 'GetDatasetVersionCommand', context)
  return getVersion(visit, dataset, { selector, view: rest.join('/') }, context)
}

function getDataset(visit: Visit, dataset: Dataset, context: Context): Reply {
  limit(visit, 'GetDatasetCommand', context)
  const permitted = curates(visit.user, dataset)
  const published = dataset.versions.some(({ state }) => state !== 'DRAFT')
  if (!published && !permitted) throw new Refusal(failure(401, notPermitted(visit.user)))
  const version = (permitted ? draftOf(dataset) : undefined) ?? latestReleased(dataset)
  const owners = flag(visit.call, 'returnOwners') ? { isPartOf: partOf(dataset.collection) } : {}
  const basics = { ...datasetElement(dataset), ...owners }
  if (!version) return ok(basics)
  const head = JSON.stringify({ status: 'OK', data: { ...basics, latestVersion: versionElement(version, dataset) } })
  return withFiles(`${head.slice(0, -3)},"files":[`, ']}}}', version)
}

/** A collection with those above it. */
export function partOf({ alias, title, parent }: Collection): unknown {
  return { type: 'DATAVERSE', identifier: alias, displayName: title, ...(parent && { isPartOf: partOf(parent) }) }
}

/** What listings say of a dataset itself. */
export function datasetElement(dataset: Dataset): Record<string, unknown> {
  const [protocol = '', rest = ''] = dataset.pid.split(/:(.*)/s)
  const [authority = '', identifier = ''] = rest.split(/\/(.*)/s)
  return {
    id: dataset.id,
    identifier,
    persistentUrl: `https://doi.org/${rest}`,
    protocol,
    authority,
    separator: '/',
    publisher: 'Stand-in Dataverse',
    publicationDate: '2025-02-10',
    storageIdentifier: `local://${rest}`,
    datasetType: 'dataset',
  }
}

function listVersions(visit: Visit, dataset: Dataset, context: Context): Reply {
  limit(visit, 'ListVersionsCommand', context)
  const count = integer(visit.call.query.get('limit'))
  const offset = integer(visit.call.query.get('offset'))
  if (count === 'bad' || offset === 'bad') throw unknownRoute(visit.call)
  const seen = curates(visit.user, dataset) ? dataset.versions : releasedVersions(dataset)
  const from = offset ?? 0
  const shown = [...seen].reverse().slice(from, from + (count ?? context.settings.versionsPerPage ?? seen.length))
  return ok(shown.map((version) => versionElement(version, dataset)))
}

function getVersion(
  visit: Visit,
  dataset: Dataset,
  { selector, view }: { readonly selector: string; readonly view: string },
  context: Context,
): Reply {
  const { call } = visit
  const bare = view === '' && flag(call, 'excludeFiles')
  const loose = bare || view === 'files/counts' || view === 'downloadsize'
  const version = requireVersion(visit, dataset, selector, { anyoneSeesDeaccessioned: loose })
  switch (view) {
    case '': {
      if (bare) return ok(versionElement(version, dataset))
      const head = JSON.stringify({ status: 'OK', data: versionElement(version, dataset) })
      return withFiles(`${head.slice(0, -2)},"files":[`, ']}}', version)
    }
    case 'files':
      return listFiles(call, version, context)
    case 'files/counts':
      unless('paging', context.features, call)
      return ok(counts(version, context))
    case 'downloadsize':
      return downloadSize(visit, version)
    case 'canDownloadAtLeastOneFile':
      unless('totalCount', context.features, call)
      return ok(metasOf(version).some(({ file, restricted }) => !restricted || !denied(file, visit.user, context)))
    default:
      throw unknownRoute(call)
  }
}

export function metasOf(version: Version): readonly FileMeta[] {
  return Array.from({ length: version.files.length }, (_, index) => version.files.at(index))
}

function counts(version: Version, context: Context): unknown {
  const metas = metasOf(version)
  return {
    total: metas.length,
    perContentType: tally(metas, ({ file }) => [file.contentType]),
    perCategoryName: tally(metas, ({ file }) => file.spec.categories ?? []),
    perTabularTagName: {},
    perAccessStatus: tally(metas, (meta) => [accessStatus(meta, context)].filter((status) => status !== undefined)),
  }
}

function tally(metas: readonly FileMeta[], keys: (meta: FileMeta) => readonly string[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const key of metas.flatMap(keys)) sums[key] = (sums[key] ?? 0) + 1
  return sums
}

/** The default mode adds tab and original; header bytes are in none (note §6.1). */
function downloadSize({ call }: Visit, version: Version): Reply {
  const mode = call.query.get('mode') ?? 'All'
  if (!['All', 'Original', 'Archival'].includes(mode)) throw new Refusal(failure(400, `Invalid mode: ${mode}`))
  const storageSize = metasOf(version).reduce((sum, { file }) => {
    const archival = file.stored.size
    const original = file.tabular?.original.size
    if (original === undefined) return sum + archival
    return sum + (mode === 'All' ? archival + original : mode === 'Original' ? original : archival)
  }, 0)
  return ok({
    message: `Total size of the files available for download in this version of the dataset: ${storageSize} bytes`,
    storageSize,
  })
}

/** An HTML index of one folder, with links in the path form. */
function dirIndex(visit: Visit, dataset: Dataset): Reply {
  const version = requireVersion(visit, dataset, visit.call.query.get('version') ?? ':latest')
  const folder = (visit.call.query.get('folder') ?? '').replaceAll(/^\/+|\/+$/g, '')
  const original = flag(visit.call, 'original') ? '?format=original' : ''
  const links = metasOf(version)
    .filter(({ directory }) => directory === folder)
    .map(({ file, label }) => {
      const path = [...folder.split('/').filter(Boolean).map(encodeURIComponent), file.id].join('/')
      return `<tr><td><a href="/api/access/datafile/${path}${original}">${label.replaceAll('<', '&lt;')}</a></td></tr>`
    })
  const page = html(200, `Index of folder /${folder}`)
  return page.body.kind === 'bytes'
    ? {
        ...page,
        body: { kind: 'bytes', data: Buffer.concat([page.body.data, Buffer.from(`<table>${links.join('')}</table>`)]) },
      }
    : page
}
