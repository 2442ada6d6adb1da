import picomatch from 'picomatch'
import type { Filters } from '../model/filters.ts'
import type { Format } from '../model/item.ts'
import type { ListedFile } from '../model/listing.ts'
import { joined, originalName } from './file-item.ts'

/** Whether a file passes, in the form that would be fetched. */
export type FileFilter = (file: ListedFile, format: Format) => boolean

/** Longest path or content type that patterns are matched against, in characters. */
const MAX_TEXT = 4096

/**
 * The filter that a command line describes. A table matches by the name and content type of either form. A size that
 * the server does not list passes.
 */
export function fileFilter({ include, exclude, minSize = 0, maxSize = Infinity, contentTypes }: Filters): FileFilter {
  const included = anyOf(include, pathPattern)
  const excluded = anyOf(exclude, pathPattern)
  const ofType = anyOf(contentTypes, typePattern)
  return (file, format) => {
    const size = sizeOf(file, format)
    const paths = pathsOf(file)
    return (
      (size === undefined || (size >= minSize && size <= maxSize)) &&
      (included?.(paths) ?? true) &&
      !excluded?.(paths) &&
      (ofType?.(typesOf(file)) ?? true)
    )
  }
}

type Matches = (text: string) => boolean

/** Whether any pattern matches any of some texts; undefined without patterns. */
function anyOf(
  patterns: readonly string[] | undefined,
  compile: (pattern: string) => Matches,
): ((texts: readonly string[]) => boolean) | undefined {
  if (!patterns || patterns.length === 0) return undefined
  const compiled = patterns.map(compile)
  return (texts) => texts.some((text) => compiled.some((matches) => matches(text.slice(0, MAX_TEXT))))
}

const OPTIONS = { dot: true, nonegate: true, windows: false } as const

/**
 * `*.csv` is a name in any folder, `raw/*.csv` a path from the top, `/a.csv` a name at the top, and `raw/` everything below
 * a folder of that name.
 */
function pathPattern(pattern: string): Matches {
  const folder = pattern.endsWith('/')
  const anchored = pattern.startsWith('/')
  const glob = `${pattern.slice(anchored ? 1 : 0)}${folder ? '**' : ''}`
  const anywhere = folder && !anchored && pattern.indexOf('/') === pattern.length - 1
  return picomatch(anywhere ? [glob, `**/${glob}`] : glob, { ...OPTIONS, matchBase: !anchored && !glob.includes('/') })
}

function typePattern(pattern: string): Matches {
  return picomatch(pattern.toLowerCase(), OPTIONS)
}

function pathsOf(file: ListedFile): readonly string[] {
  const names = file.tabular ? [file.label, originalName(file)] : [file.label]
  return names.map((name) => joined(file.directory, name))
}

function typesOf({ contentType, original }: ListedFile): readonly string[] {
  return [contentType, original?.contentType].flatMap((type) =>
    type === undefined ? [] : [type.slice(0, MAX_TEXT).split(';', 1)[0]?.trim().toLowerCase() ?? ''],
  )
}

function sizeOf({ tabular, size, original }: ListedFile, format: Format): number | undefined {
  return tabular && format === 'original' ? original?.size : size
}
