import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's heap near what is in use (docs/decisions/0011-a-small-heap.md). Left alone, V8 lets the young generation grow
 * to two halves of 16 MiB and the old one to several times its content before it collects it. Both flags are read
 * whenever the heap might grow; the usual `--max-…` ones would have to stand on the command line of `node`.
 */
export function keepHeapSmall(): void {
  // The young generation stays as it is now, with the program's first modules loaded: two halves of 4 MiB.
  setFlagsFromString('--semi-space-growth-factor=1')
  // The old one is collected again when it has doubled.
  setFlagsFromString('--heap-growing-percent=100')
}
