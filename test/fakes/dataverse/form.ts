import type { Call } from './call.ts'
import type { Content } from './content.ts'
import { bytes, generated, joined, toBuffer } from './content.ts'
import type { Context } from './context.ts'
import { mainContent, variableId } from './datafile.ts'
import type { DataFile, Tabular } from './datafile.ts'
import { Refusal, thrown } from './reply.ts'
import type { ArchiveEntry } from './zip-archive.ts'

/** What a download request gets: bytes with name and type, and what the server does besides. */
export interface Form {
  readonly content: Content
  readonly name: string
  readonly type: string
  /** Present when a store with redirects hands it out itself. */
  readonly object: 'main' | 'original' | undefined
  /** Thumbnails and `format=prep` are never counted. */
  readonly counts: boolean
}

const SELECTORS = ['format', 'variables', 'noVarHeader', 'imageThumb']

/** The asked form of a file (note §1.1): the first parameter that chooses one wins; what does not fit is 404 or 503. */
export function formOf(call: Call, file: DataFile, context: Context): Form {
  for (const [name, value] of call.query) {
    if (!SELECTORS.includes(name)) continue
    const form = chosen(name, value, file, call, context)
    if (form) return form
    throw new Refusal(thrown(call, 404))
  }
  return mainForm(file)
}

export function mainForm(file: DataFile): Form {
  // Only what lies in the store as it is sent can be redirected to.
  const asStored = !file.tabular || file.tabular.storedWithHeader
  const object = asStored ? 'main' : undefined
  return { content: mainContent(file), name: file.label, type: file.contentType, object, counts: true }
}

export function originalForm(file: DataFile): Form {
  const table = file.tabular
  if (!table) return mainForm(file)
  const { original, originalName, originalContentType } = table
  return { content: original, name: originalName, type: originalContentType, object: 'original', counts: true }
}

function chosen(name: string, value: string, file: DataFile, call: Call, context: Context): Form | undefined {
  if (name === 'imageThumb') return thumbnail(file, value)
  if (name === 'format' && value === 'original') return originalForm(file)
  const table = file.tabular
  if (!table) return undefined
  if (name === 'noVarHeader') return headerless(file, table, value, call)
  if (name === 'variables') return subset(file, table, value)
  if (value === 'tab') return { ...mainForm(file), object: undefined }
  if (value === 'prep') return derived(file, '.prep.json', 'application/json', bytes(prep(table)), false)
  if (value === 'RData' && context.settings.rserve)
    return derived(file, '.RData', 'application/x-rlang-transport', generated(512 + file.stored.size, file.id))
  // `format=subset` decorates `variables`, which comes later in the query.
  const columns = value === 'subset' ? call.query.get('variables') : null
  return columns === null ? undefined : subset(file, table, columns)
}

function derived(file: DataFile, suffix: string, type: string, content: Content, counts = true): Form {
  return { content, name: file.label.replace(/\.tab$/, suffix), type, object: undefined, counts }
}

function prep(table: Tabular): string {
  return JSON.stringify({ '@context': 'prep', variables: table.variables.map((name) => ({ name })) })
}

/** The stored rows alone; a file stored with its header cannot give them: 503. */
function headerless(file: DataFile, table: Tabular, value: string, call: Call): Form | undefined {
  if (value !== 'true' && value !== '1') return undefined
  if (table.storedWithHeader) throw new Refusal(thrown(call, 503))
  return { content: file.stored, name: file.label, type: file.contentType, object: 'main', counts: true }
}

/** Columns by variable id; foreign ids are skipped, and when all are foreign the whole table comes (note §12). */
function subset(file: DataFile, table: Tabular, value: string): Form {
  const ids = value.split(',').map((id) => Number(id.replace(/^v/, '')))
  const columns = table.variables.map((_, column) => column).filter((column) => ids.includes(variableId(file, column)))
  if (columns.length === 0) return { ...mainForm(file), object: undefined }
  const lines = toBuffer(mainContent(file)).toString().split('\n')
  const cut = lines.map((line) => {
    const cells = line.split('\t')
    return line === '' ? '' : columns.map((column) => cells[column] ?? '').join('\t')
  })
  return { ...derived(file, '.tab', 'text/tab-separated-values', bytes(cut.join('\n'))) }
}

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

function thumbnail(file: DataFile, value: string): Form | undefined {
  const possible = /^image\/(?!fits)|^application\/pdf$/.test(file.contentType)
  if (!possible || !(value === 'true' || Number(value) > 0)) return undefined
  return { content: bytes(PNG), name: `${file.label}.png`, type: 'image/png', object: undefined, counts: false }
}

class ZipException extends Error {
  override readonly name = 'ZipException'
}

/** All forms of a tabular file as archive entries (Bundle). */
export function bundleEntries(file: DataFile, context: Context): readonly ArchiveEntry[] {
  const table = file.tabular
  return table ? allForms(file, table, context) : [{ name: file.label, open: () => file.stored }, secondOf(file.label)]
}

/** Every generated name of a file that is not tabular is that of the file, and the archive's writer takes none twice. */
function secondOf(name: string): ArchiveEntry {
  return {
    name,
    open: () => {
      throw new ZipException(`duplicate entry: ${name}`)
    },
  }
}

function allForms(file: DataFile, table: Tabular, context: Context): readonly ArchiveEntry[] {
  const stem = file.label.replace(/\.[^.]*$/, '')
  const citation = (style: string): Content => bytes(`${style} ${file.dataset.title}, ${file.label}\n`)
  const forms: readonly (readonly [string, Content])[] = [
    [`${stem}.tab`, table.storedWithHeader ? file.stored : joined(table.header, file.stored)],
    [table.originalName, table.original],
    ...(context.settings.rserve ? [[`${stem}.RData`, generated(512 + file.stored.size, file.id)] as const] : []),
    [`${stem}-ddi.xml`, bytes(ddi(file))],
    [`${stem}citation-endnote.xml`, citation('<xml>')],
    [`${stem}citation-ris.ris`, citation('TY  - DATA')],
    [`${stem}citation-bib.bib`, citation('@data')],
  ]
  return forms.map(([name, content]) => ({ name, open: () => content }))
}

/** Metadata of a tabular file in the DDI codebook format, in brief. */
export function ddi(file: DataFile): string {
  const variables = (file.tabular?.variables ?? []).map(
    (name, column) => `<var ID="v${variableId(file, column)}" name="${xml(name)}"/>`,
  )
  return (
    `<?xml version="1.0" encoding="UTF-8"?><codeBook xmlns="ddi:codebook:2_5" version="2.5"><fileDscr ID="f${file.id}">` +
    `<fileTxt><fileName>${xml(file.label)}</fileName></fileTxt></fileDscr><dataDscr>${variables.join('')}</dataDscr></codeBook>`
  )
}

export function xml(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
