// Parsed by any Node.js: no syntax in here that an old one does not know.

/** The oldest release that dataferry runs on; `engines` in package.json says the same. */
export const LEAST_NODE = '20.19.0'

/** One sentence when a Node.js is too old, else undefined. `version` is in the form of `process.versions.node`. */
export function nodeProblem(version: string): string | undefined {
  const have = version.split('.').map(Number)
  const least = LEAST_NODE.split('.').map(Number)
  for (let at = 0; at < least.length; at++) {
    const difference = (have[at] || 0) - (least[at] || 0)
    if (difference > 0) return undefined
    if (difference < 0) return `dataferry needs Node.js ${LEAST_NODE} or newer; this is ${version}.`
  }
  return undefined
}
