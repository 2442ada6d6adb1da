import { hash } from 'node:crypto'
import { formatCount } from '../model/format.ts'
import { visibleText } from '../model/visible-text.ts'

/** Light or dark as the reader's system is, and on paper without colours or broken rows. */
const STYLE =
  ':root{color-scheme:light dark;--text:#1a1a1a;--page:#fff;--link:#0b57d0;--line:#ccc;--soft:#f4f4f4}' +
  '@media (prefers-color-scheme:dark){:root{--text:#e8e8e8;--page:#161616;--link:#8ab4f8;--line:#555;--soft:#262626}}' +
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere;' +
  'color:var(--text);background:var(--page)}a{color:var(--link)}' +
  'table{border-collapse:collapse;width:100%;margin:1.2rem 0}' +
  'th,td{text-align:left;vertical-align:top;padding:.2rem .6rem;border-bottom:1px solid var(--line)}' +
  '.number{text-align:right}td.number,td>code{white-space:nowrap}' +
  'dt{font-weight:600}dd{margin:0 0 .4rem 1.5rem}p{white-space:pre-line}' +
  'code,pre{font:.85em/1.5 ui-monospace,monospace}pre{background:var(--soft);padding:.6rem;white-space:pre-wrap}' +
  '@media (max-width:40rem){table{font-size:.75rem}th,td{padding:.2rem}td>code{white-space:normal}}th{overflow-wrap:normal}' +
  '@media print{:root{--text:#000;--page:#fff;--soft:#fff}body{font-size:10pt;max-width:none;margin:0}tr{break-inside:avoid}h2{break-after:avoid}a{color:inherit}}'

/** The style has a hash, so that no other one can come into the page with a stranger's text. */
const POLICY = `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; base-uri 'none'; form-action 'none'`

/** The beginning of a page that is itself alone: no script, nothing from elsewhere. `pageEnd` closes it. */
export function pageStart(title: string): string {
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    `<meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${STYLE}</style></head>`,
    `<body><main><h1>${escaped(title)}</h1>`,
    '',
  ].join('\n')
}

export const pageEnd = '</main></body></html>\n'

/** Names with what is said of each, as HTML: values are escaped already. */
export function factList(facts: readonly (readonly [name: string, html: string])[]): string {
  return `<dl>${facts.map(([name, html]) => `<dt>${escaped(name)}</dt><dd>${html}</dd>`).join('')}</dl>\n`
}

/** A column of a table: text, or `#` before the title of one with numbers. */
export function tableOf(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = columns.map((title) => title.startsWith('#'))
  const cell = (tag: string, html: string, at: number): string =>
    `<${tag}${tag === 'th' ? ' scope="col"' : ''}${isNumber[at] ? ' class="number"' : ''}>${html}</${tag.slice(0, 2)}>`
  const head = columns.map((title, at) => cell('th', escaped(title.replace(/^#/, '')), at)).join('')
  const body = rows.map((row) => `<tr>${row.map((html, at) => cell('td', html, at)).join('')}</tr>\n`)
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${body.join('')}</tbody></table>\n`
}

/** What a table does not show. */
export function rest(count: number, shown: number, file: string): string {
  if (count <= shown) return ''
  return `<p>… and ${formatCount(count - shown)} more: see <a href="${file}">${file}</a>.</p>\n`
}

/** A link, if it leads to a page; else the text alone. */
export function linked(url: string | undefined, text: string): string {
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

/** A stranger's text as text of a page, of one line: what would turn it round or hide in it is made visible. */
export function escaped(text: string): string {
  return visibleText(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** The same for a text of several lines. */
export function escapedLines(text: string): string {
  return text.split('\n').map(escaped).join('\n')
}
