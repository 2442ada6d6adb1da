import { latestReleased } from '../access.ts'
import type { Context, Visit } from '../context.ts'
import { publishedChecksum } from '../datafile.ts'
import { fileElement, versionElement } from '../file-json.ts'
import { failure, Refusal, text } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { Dataset, FileMeta, Version } from '../world.ts'
import { datasetElement, metasOf } from './datasets.ts'

type Exporter = (dataset: Dataset, version: Version, url: string) => unknown

/** `GET /api/datasets/export`: the latest published version in formats for other programs, as far as they name files. */
export async function getExport({ call }: Visit, { world, features, url }: Context): Promise<Reply> {
  const pid = call.query.get('persistentId') ?? ''
  const dataset = world.datasetByPid(pid, features.foldedDois)
  if (!dataset) throw new Refusal(failure(404, `A dataset with the persistentId ${pid} could not be found.`))
  // A cache that lags behind a publication; see the mirroring note §3.
  const version = dataset.versions.find(({ number }) => number === dataset.exported) ?? latestReleased(dataset)
  if (!version) throw new Refusal(failure(400, 'Unable to look up dataset based on version.'))
  const xml = XML[call.query.get('exporter') ?? '']
  if (xml) return text(200, 'application/xml', xml(...version.number.split('.')))
  const exporter = EXPORTERS[call.query.get('exporter') ?? '']
  if (!exporter) throw new Refusal(failure(403, 'Export Failed'))
  return text(200, 'application/json', JSON.stringify(await exporter(dataset, version, url)))
}

const XML: Readonly<Record<string, (major?: string, minor?: string) => string>> = {
  Datacite: (major = '', minor = '') => `<resource><version>${major}.${minor}</version></resource>`,
  ddi: (major = '') => `<codeBook><version date="2025-02-10" type="RELEASED">${major}</version></codeBook>`,
}

const EXPORTERS: Readonly<Record<string, Exporter>> = {
  async dataverse_json(dataset, version) {
    const files = await Promise.all(metasOf(version).map((meta) => fileElement(meta, version)))
    return { ...datasetElement(dataset), datasetVersion: { ...versionElement(version, dataset), files } }
  },
  /** @see DatasetVersion.getJsonLd */
  'schema.org'(dataset, version, url) {
    const distribution = metasOf(version).map(({ file, label }) => ({
      '@type': 'DataDownload',
      name: label,
      encodingFormat: file.contentType,
      contentSize: file.stored.size,
      description: '',
      contentUrl: `${url}/api/access/datafile/${file.id}`,
    }))
    const id = resolver(dataset)
    return { '@context': 'http://schema.org', '@type': 'Dataset', '@id': id, version: version.number, distribution }
  },
  /** @see CroissantExportUtil */
  async croissant(dataset, version, url) {
    return {
      '@context': { '@language': 'en', cr: 'http://mlcommons.org/croissant/' },
      '@type': 'sc:Dataset',
      url: resolver(dataset),
      version: version.number,
      distribution: await Promise.all(
        metasOf(version).map(async (meta) => ({
          '@type': 'cr:FileObject',
          '@id': [meta.directory, nameOf(meta)].filter(Boolean).join('/'),
          name: nameOf(meta),
          md5: (await publishedChecksum(meta.file))?.value,
          contentSize: String((meta.file.tabular?.original ?? meta.file.stored).size),
          contentUrl: accessUrl(meta, url),
        })),
      ),
    }
  },
  /** @see OREMap */
  async OAI_ORE(dataset, version, url) {
    const aggregated = await Promise.all(
      metasOf(version).map(async (meta) => ({
        'schema:name': nameOf(meta),
        'dvcore:directoryLabel': meta.directory || undefined,
        '@id': `${url}/file.xhtml?fileId=${meta.file.id}`,
        'schema:sameAs': accessUrl(meta, url),
        'schema:version': 1,
        '@type': 'ore:AggregatedResource',
        'schema:fileFormat': meta.file.tabular ? 'text/csv' : meta.file.contentType,
        'dvcore:checksum': { '@value': (await publishedChecksum(meta.file))?.value },
      })),
    )
    return {
      '@type': 'ore:ResourceMap',
      'dvcore:generatedBy': {
        '@type': 'schema:SoftwareApplication',
        'schema:name': 'Dataverse',
        'schema:version': '6.11',
      },
      '@id': `${url}/api/datasets/export?exporter=OAI_ORE&persistentId=${resolver(dataset)}`,
      'ore:describes': {
        '@id': resolver(dataset),
        '@type': ['ore:Aggregation', 'schema:Dataset'],
        'schema:version': version.number,
        'schema:includedInDataCatalog': 'Root',
        'ore:aggregates': aggregated,
      },
      '@context': { ore: 'http://www.openarchives.org/ore/terms/' },
    }
  },
}

/** Of a table both give the upload. */
function nameOf({ file, label }: FileMeta): string {
  return file.tabular?.originalName ?? label
}

function accessUrl({ file }: FileMeta, url: string): string {
  return `${url}/api/access/datafile/${file.id}${file.tabular ? '?format=original' : ''}`
}

function resolver({ pid }: Dataset): string {
  return pid.replace(/^doi:/, 'https://doi.org/')
}
