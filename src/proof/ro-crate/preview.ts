import type { Description } from '../description.ts'
import type { DatasetVersion, MissingFile } from '../holding.ts'
import { escaped, escapedLines, factList, linked, pageEnd, pageStart, tableOf } from '../../batch/html-page.ts'
import { pidUrl } from '../../model/pid-url.ts'

export interface PreviewContent {
  readonly title: string
  readonly description: Description
  readonly dataset: DatasetVersion | undefined
  readonly files: readonly {
    readonly path: string
    readonly href: string
    readonly size: number
    readonly contentType?: string | undefined
  }[]
  /** Of all files, also those that are not named. */
  readonly count: number
  readonly bytes: number
  readonly missing: readonly MissingFile[]
}

/** A page about a crate, for people. It is itself alone: no script, nothing from elsewhere. All texts are strangers'. */
export function previewPage({ title, description, dataset, files, count, bytes, missing }: PreviewContent): string {
  const { text, authors, license, terms, keywords, isUnknown } = description
  const facts: readonly (readonly [string, string])[] = [
    ...(dataset ? [['Identifier', linked(pidUrl(dataset.pid), dataset.pid)] as const] : []),
    ...(dataset?.number !== undefined ? [['Version', escaped(dataset.number)] as const] : []),
    ...(dataset ? [['Source', linked(dataset.server, dataset.server)] as const] : []),
    ...(authors.length > 0 ? [['Authors', authors.map(({ name }) => escaped(name)).join('; ')] as const] : []),
    ...(keywords.length > 0 ? [['Keywords', escaped(keywords.join(', '))] as const] : []),
    [
      'License',
      license ? linked(license.url, license.name) : escaped(terms ?? (isUnknown ? 'not known here' : 'none stated')),
    ],
    ['Files', `${count} (${bytes} bytes)`],
  ]
  const rows = files.map(({ path, href, size, contentType = '' }) => [
    `<a href="./${escaped(href)}">${escaped(path)}</a>`,
    String(size),
    escaped(contentType),
  ])
  const more = count > files.length ? `<p>… and ${count - files.length} more: see ro-crate-metadata.json.</p>` : ''
  const gone = missing.map(({ path, why }) => `<li>${escaped(path)} (${escaped(why)})</li>`)
  return [
    pageStart(title),
    ...(text ? [`<p>${escapedLines(text)}</p>`] : []),
    factList(facts),
    ...(gone.length > 0 ? [`<h2>Missing</h2><ul>${gone.join('')}</ul>`] : []),
    '<h2>Files</h2>',
    tableOf(['Path', '#Bytes', 'Type'], rows),
    more,
    pageEnd,
  ].join('')
}
