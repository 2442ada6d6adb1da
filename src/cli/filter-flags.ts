import { byteCount } from '../config/setting-values.ts'
import { DataferryError } from '../errors.ts'
import type { Filters } from '../model/filters.ts'
import type { Given } from './command.ts'

/** Reads `FILTER_FLAGS`; undefined: none was given. Throws `ARGUMENT_INVALID`. */
export function readFilters({ text, texts }: Pick<Given, 'text' | 'texts'>): Filters | undefined {
  const include = globs('include', texts)
  const exclude = globs('exclude', texts)
  const contentTypes = globs('content-type', texts)
  const minSize = bytes('min-size', text)
  const maxSize = bytes('max-size', text)
  if (minSize !== undefined && maxSize !== undefined && minSize > maxSize) {
    throw new DataferryError('ARGUMENT_INVALID', `--min-size ${minSize} is more than --max-size ${maxSize}.`)
  }
  const filters: Filters = {
    ...(include && { include }),
    ...(exclude && { exclude }),
    ...(minSize !== undefined && { minSize }),
    ...(maxSize !== undefined && { maxSize }),
    ...(contentTypes && { contentTypes }),
  }
  return Object.keys(filters).length === 0 ? undefined : filters
}

/** Sorted, since their order does not matter. */
function globs(flag: string, texts: Given['texts']): string[] | undefined {
  const patterns = [...new Set(texts(flag))].sort()
  if (patterns.some((pattern) => pattern === '' || pattern.length > MAX_PATTERN)) {
    throw new DataferryError('ARGUMENT_INVALID', `--${flag}: expected a pattern such as *.csv.`)
  }
  return patterns.length === 0 ? undefined : patterns
}

const MAX_PATTERN = 1024

function bytes(flag: string, text: Given['text']): number | undefined {
  const given = text(flag)
  if (given === undefined) return undefined
  const read = byteCount.safeParse(given)
  if (read.success) return read.data
  throw new DataferryError('ARGUMENT_INVALID', `--${flag}: ${read.error.issues[0]?.message ?? ''}, not ${given}.`)
}
