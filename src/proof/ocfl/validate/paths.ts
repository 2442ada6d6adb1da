/** What is wrong with a path of an inventory by itself. */
export function pathFaults(path: string): { readonly edge: boolean; readonly part: boolean } {
  const edge = path.startsWith('/') || path.endsWith('/')
  const inner = path.replace(/^\//, '').replace(/\/$/, '')
  return { edge, part: inner.split('/').some((one) => one === '' || one === '.' || one === '..') }
}

/** Calls back for each path that is there twice, or that leads through another one as through a folder. */
export function claimPaths(paths: readonly string[], onConflict: (path: string) => void): void {
  const all = new Set<string>()
  for (const path of paths) {
    if (all.has(path)) onConflict(path)
    all.add(path)
  }
  for (const path of all) {
    for (let slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
      if (all.has(path.slice(0, slash))) onConflict(path)
    }
  }
}
