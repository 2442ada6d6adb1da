import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 100
/** Garbage that is worth a collection, however little is in use. */
const ROOM = 16 * 1024 * 1024

/**
 * Keeps V8's heap near what is in use, as memory must not grow with the work (docs/decisions/0011-a-small-heap.md). Left
 * alone, V8 lets the young generation grow to two halves of 16 MiB, and the old one to several times its content before it
 * collects it. The usual `--max-…` flags would have to stand on the command line of `node`.
 */
export function keepHeapSmall(): void {
  // Read whenever the young generation might grow: so it stays as it is with the first modules loaded, two halves of 4 MiB.
  setFlagsFromString('--semi-space-growth-factor=1')
  let kept = inUse()
  setInterval(() => {
    if (inUse() - kept < Math.max(ROOM, kept / 4)) return
    collect()
    kept = inUse()
  }, LOOK_MS).unref()
}

/** Bytes of objects, garbage included; what they hold outside of the heap is not counted. */
function inUse(): number {
  return getHeapStatistics().used_heap_size
}

let gc: unknown

function collect(): void {
  gc ??= exposed()
  if (isFunction(gc)) gc()
}

/** The only way to V8's collector from within: the flag is read when a context is made. */
function exposed(): unknown {
  setFlagsFromString('--expose-gc')
  const found: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return found
}

function isFunction(value: unknown): value is () => void {
  return typeof value === 'function'
}
