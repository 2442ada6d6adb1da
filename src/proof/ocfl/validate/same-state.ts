import type { Digested, Said } from './inventory-text.ts'

/**
 * Compares what two inventories say is in a version of their object. Where they use different algorithms, by the content that their
 * manifests lead to.
 * @returns a path that differs; undefined: none does
 */
export function differsIn(version: string, earlier: Said, current: Said): string | undefined {
  const isComparable = earlier.algorithm === current.algorithm
  const [a, b] = [earlier, current].map(({ versions, manifest }) => {
    const state = versions.get(version)?.state ?? new Map<string, readonly string[]>()
    return byPath(state, isComparable ? undefined : manifest)
  })
  if (!a || !b) return undefined
  const differing = [...a].find(([path, contents]) => !contents.some((one) => b.get(path)?.includes(one)))
  return differing?.[0] ?? [...b.keys()].find((path) => !a.has(path))
}

/** What each logical path leads to: its digest, or with a manifest the content that has it. */
function byPath(state: Digested, manifest: Digested | undefined): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const [digest, paths] of state) {
    const contents = manifest ? (manifest.get(digest) ?? []) : [digest.toLowerCase()]
    for (const path of paths) found.set(path, contents)
  }
  return found
}
