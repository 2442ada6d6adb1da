import { denied, retentionExpired } from '../access.ts'
import type { Context, Visit } from '../context.ts'
import { contentOf } from '../datafile.ts'
import type { DataFile } from '../datafile.ts'
import { ddi, xml } from '../form.ts'
import { requireDataFile } from '../lookup.ts'
import { failure, json, ok, Refusal, text, thrown, unless } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { AuxiliarySpec } from '../specs.ts'
import { requireAccess } from './datafile.ts'

/** `GET datafile/{id}/auxiliary[/{origin}]` and `/auxiliary/{tag}/{version}`; note §1.6. */
export function getAuxiliary(visit: Visit, [id = '', , ...rest]: readonly string[], context: Context): Reply {
  const file = requireDataFile(visit.call, [id], context)
  const all = file.spec.auxiliary ?? []
  const permitted = denied(file, visit.user, context) === undefined
  const [tag, version] = rest
  if (version === undefined) return listAuxiliary(visit, all, tag, permitted)
  const found = all.find((one) => one.tag === tag && one.version === version)
  if (!found) throw new Refusal(thrown(visit.call, 404))
  if (!(found.isPublic && file.released) && !visit.user) throw new Refusal(thrown(visit.call, 403))
  const content = contentOf(found.content)
  const name = encodeURIComponent(`${file.label}.${found.tag}_${found.version}${extension(found.contentType)}`)
  return {
    status: 200,
    headers: {
      'Content-disposition': `attachment; filename="${name}"`,
      'Content-Type': `${found.contentType}; name="${name}"`,
    },
    body: { kind: 'part', content, from: 0, to: content.size },
  }
}

function extension(type: string): string {
  return type === 'application/json' ? '.json' : type.endsWith('xml') ? '.xml' : ''
}

function listAuxiliary(
  visit: Visit,
  all: readonly AuxiliarySpec[],
  origin: string | undefined,
  permitted: boolean,
): Reply {
  const shown = all.filter(
    (one) => (one.isPublic || (permitted && visit.user)) && (origin === undefined || one.origin === origin),
  )
  if (shown.length === 0) throw new Refusal(failure(404, 'No auxiliary files exist for this data file.'))
  return ok(
    shown.map((one) => ({
      formatTag: one.tag,
      formatVersion: one.version,
      fileSize: contentOf(one.content).size,
      contentType: one.contentType,
      isPublic: one.isPublic ?? false,
      type: one.type,
    })),
  )
}

/** `GET datafile/{id}/metadata[/ddi]`: all refusals are 400, a missing right too. */
export function getDdi(visit: Visit, [id = '', , kind = 'ddi']: readonly string[], context: Context): Reply {
  const file = requireDataFile(visit.call, [id], context)
  if (kind !== 'ddi') throw new Refusal(thrown(visit.call, 404))
  const refuse = (detail: string): Refusal => new Refusal(thrown(visit.call, 400, detail))
  if (!file.tabular) throw refuse('This type of metadata is only available for tabular files.')
  if (retentionExpired(file, context)) throw refuse('The retention period of this file has expired.')
  if (denied(file, visit.user, context)) throw refuse('You do not have permission to download this file.')
  return text(200, 'text/xml', ddi(file))
}

/** `GET datafile/{id}/citation/{style}`; 6.11. */
export function getCitation(visit: Visit, [id = '', , style = '']: readonly string[], context: Context): Reply {
  unless('citations', context.features, visit.call)
  const file = requireDataFile(visit.call, [id], context)
  requireAccess(visit, file, context)
  return citation(file, style) ?? failure(400, `Unsupported citation format ${style}`)
}

function citation(file: DataFile, style: string): Reply | undefined {
  const { title, pid } = file.dataset
  switch (style) {
    case 'EndNote':
      return text(
        200,
        'text/xml',
        `<?xml version="1.0"?><xml><records><record><title>${xml(title)}</title></record></records></xml>`,
      )
    case 'RIS':
      return text(200, 'text/plain', `TY  - DATA\r\nT1  - ${title}\r\nDO  - ${pid}\r\nER  - \r\n`)
    case 'BibTeX':
      return text(200, 'text/plain', `@data{${file.id},\n title = {${title}},\n doi = {${pid}}\n}\n`)
    case 'CSL':
      return json(200, { id: pid, type: 'dataset', title })
    case 'Internal':
      return text(200, 'text/html', `${xml(title)}, ${xml(file.label)}`)
    default:
      return undefined
  }
}
