/** A document of the search index: what can be filtered and sorted by. */
export type SolrDocument = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** What Solr says of a query that it cannot run. Dataverse answers 400 then. */
export class SolrError extends Error {}

/** Fields that the index has, whether or not a document has a value. */
const FIELDS = new Set([
  ...['entityId', 'dvObjectType', 'publicationStatus', 'isHarvested', 'parentId', 'identifier', 'name', 'nameSort'],
  ...['dateSort', 'score', 'title', 'fileTypeGroupFacet'],
])

/**
 * A filter query as far as the stand-in knows them: `field:value`, `field:"a b"`, `field:(a OR b)`, and ranges such as
 * `entityId:{42 TO *]`. Throws a `SolrError` for any other.
 */
export function filterOf(query: string): (document: SolrDocument) => boolean {
  const [, field = '', value = ''] = /^(\w+):(.+)$/s.exec(query.trim()) ?? []
  if (field === '') throw new SolrError(`Cannot parse '${query}'`)
  const values = (document: SolrDocument): readonly string[] => [knownField(document, field)].flat().map(String)
  const range = /^([[{])(\S+) TO (\S+)([\]}])$/.exec(value)
  if (range) {
    const [, opens, from = '*', to = '*', closes] = range
    return (document) =>
      values(document).some(
        (one) =>
          (from === '*' || (opens === '[' ? compare(one, from) >= 0 : compare(one, from) > 0)) &&
          (to === '*' || (closes === ']' ? compare(one, to) <= 0 : compare(one, to) < 0)),
      )
  }
  const wanted = /^\((.*)\)$/.exec(value)?.[1]?.split(' OR ') ?? [value]
  const words = wanted.map((word) => /^"(.*)"$/.exec(word)?.[1] ?? word)
  if (words.some((word) => /[[\]{}():]/.test(word))) throw new SolrError(`Cannot parse '${query}'`)
  return (document) => values(document).some((one) => words.some((word) => word === '*' || one === word))
}

/** The id above which all lie that a filter of ids from there on lets through; −1: it is another filter. */
export function idsAbove(query: string): number {
  return Number(/^entityId:\{(\d+) TO \*\]$/.exec(query.trim())?.[1] ?? -1)
}

/** An order by any field. Throws a `SolrError` when the index has no such field. */
export function orderBy(field: string, descending: boolean): (a: SolrDocument, b: SolrDocument) => number {
  if (!FIELDS.has(field)) throw new SolrError(`can not sort on undefined field: ${field}`)
  const sign = descending ? -1 : 1
  return (a, b) => sign * compare(String(a[field] ?? ''), String(b[field] ?? ''))
}

function knownField(document: SolrDocument, field: string): SolrDocument[string] {
  if (!FIELDS.has(field)) throw new SolrError(`undefined field ${field}`)
  return document[field] ?? []
}

/** Numbers as numbers, anything else as text. */
function compare(a: string, b: string): number {
  const [x, y] = [Number(a), Number(b)]
  if (a !== '' && b !== '' && !Number.isNaN(x) && !Number.isNaN(y)) return x - y
  return a < b ? -1 : a > b ? 1 : 0
}
