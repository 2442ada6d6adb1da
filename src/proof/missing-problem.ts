import type { Holding } from './holding.ts'

/** Files that are named in a message. */
const NAMED = 3

/** Which files a holding lacks, for people; undefined: none. */
export function missingProblem({ missing }: Pick<Holding, 'missing'>): string | undefined {
  if (missing.length === 0) return undefined
  const named = missing.slice(0, NAMED).map(({ path, why }) => `${path} (${why})`)
  const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : ''
  return `it lacks ${named.join(', ')}${more}; --allow-missing goes on without`
}
