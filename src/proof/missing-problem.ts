import type { Holding } from './holding.ts'

/** Files that are named in a message. */
const NAMED = 3

/** The name of the file that says what is missing from what was handed on. */
export const MISSING_FILE = 'missing.txt'

/** `missing.txt`: a line for each file, with the code that says why, and its path. */
export function missingText({ missing }: Pick<Holding, 'missing'>): string {
  return missing.map(({ path, why }) => `${why}\t${path}\n`).join('')
}

/** Which files a holding lacks, for people; undefined: none. */
export function missingProblem({ missing }: Pick<Holding, 'missing'>): string | undefined {
  if (missing.length === 0) return undefined
  const named = missing.slice(0, NAMED).map(({ path, why }) => `${path} (${why})`)
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : ''
  return `it lacks ${named.join(', ')}${more}; --allow-missing goes on without`
}
