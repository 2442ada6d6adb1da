import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How often it is looked at: so seldom that looking costs nothing, so often that thousands of small files are met. */
const LOOK_MS = 50

/** The most bytes that were seen below a folder while some work went on. */
export async function peakBytes<T>(
  folder: string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly peak: number }> {
  const over = new AbortController()
  let peak = 0
  const watching = (async () => {
    while (!over.signal.aborted) {
      peak = Math.max(peak, await bytesBelow(folder))
      await sleep(LOOK_MS, undefined, { signal: over.signal }).catch(() => undefined)
    }
  })()
  try {
    const result = await work()
    return { result, peak }
  } finally {
    over.abort()
    await watching
  }
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    // Most are gone again by the time they are looked at.
    const found = await stat(join(entry.parentPath, entry.name)).catch(() => undefined)
    bytes += found?.size ?? 0
  }
  return bytes
}
