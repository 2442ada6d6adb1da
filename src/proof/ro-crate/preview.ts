import type { Description } from '../description.ts'
import type { DatasetVersion, MissingFile } from '../holding.ts'
import { pidUrl } from '../pid-url.ts'

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

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}' +
  'table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ccc}' +
  'td:nth-child(2),th:nth-child(2){text-align:right}dt{font-weight:600}p{white-space:pre-line}'

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
  const rows = files.map(
    ({ path, href, size, contentType = '' }) =>
      `<tr><td><a href="./${escaped(href)}">${escaped(path)}</a></td><td>${size}</td><td>${escaped(contentType)}</td></tr>`,
  )
  const more = count > files.length ? `<p>… and ${count - files.length} more: see ro-crate-metadata.json.</p>` : ''
  const gone = missing.map(({ path, why }) => `<li>${escaped(path)} (${escaped(why)})</li>`)
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${STYLE}</style></head>`,
    `<body><h1>${escaped(title)}</h1>`,
    ...(text ? [`<p>${escaped(text)}</p>`] : []),
    `<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`,
    ...(gone.length > 0 ? [`<h2>Missing</h2><ul>${gone.join('')}</ul>`] : []),
    '<h2>Files</h2><table><thead><tr><th>Path</th><th>Bytes</th><th>Type</th></tr></thead><tbody>',
    ...rows,
    `</tbody></table>${more}</body></html>`,
    '',
  ].join('\n')
}

/** A link, if it leads to a page; else the text alone. */
function linked(url: string | undefined, text: string): string {
  return url !== undefined && /^https?:\/\//i.test(url)
    ? `<a href="${escaped(url)}">${escaped(text)}</a>`
    : escaped(text)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
