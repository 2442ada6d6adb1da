import type { WorldJson } from '../../test/fakes/dataverse/world-json.ts'

const CHECKSUMS = ['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const
/** One file in so many is large enough to be met in the middle. */
const LARGE_EVERY = 40

/** Files in several datasets, one for each batch: mostly small, some of several MiB, of every checksum type. */
export function chaosWorld(files: number, batches: number): WorldJson {
  const datasets = Array.from({ length: batches }, (_, at) => {
    const from = Math.floor((files * at) / batches)
    const to = Math.floor((files * (at + 1)) / batches)
    return { pid: pidOf(at), files: Array.from({ length: to - from }, (_, i) => fileAt(from + i)) }
  })
  return { datasets }
}

export function pidOf(batch: number): string {
  return `doi:10.5072/FK2/CHAOS${batch}`
}

function fileAt(n: number) {
  const isLarge = n % LARGE_EVERY === LARGE_EVERY - 1
  const size = isLarge ? (4 + (n % 13)) << 20 : (n * 7919) % 60_000
  return {
    id: 1000 + n,
    label: `file-${n}.bin`,
    directory: `folder-${n % 7}`,
    content: { size, seed: n },
    checksum: CHECKSUMS[n % CHECKSUMS.length] ?? 'MD5',
    ...(n % 5 === 0 && { store: 's3-redirect' as const }),
  }
}
