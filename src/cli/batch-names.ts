/** Enough of the random end of a batch's id that a second batch with it is unlikely to come soon. */
const SHORTEST = 4

/** The shortest end of a batch's id that no other id of `all` has: `manifest-20261127-150742-1fd1d2` → `d1d2`. */
export function shortId(id: string, all: readonly string[]): string {
  const others = all.filter((other) => other !== id)
  for (let length = SHORTEST; length < id.length; length++) {
    const end = id.slice(-length)
    if (!others.some((other) => other.endsWith(end))) return end
  }
  return id
}

/** The ids that somebody may mean: the one of this name, or else all that end so. */
export function idsMeant(given: string, all: readonly string[]): readonly string[] {
  if (all.includes(given)) return [given]
  return given === '' ? [] : all.filter((id) => id.endsWith(given))
}
