import { spawnSync } from 'node:child_process'
import { it } from 'vitest'

/** Runs a command with mounts of its own, which go with it; works as root and, where allowed, as anybody. */
export const PRIVATE_MOUNTS = ['unshare', '--map-root-user', '--mount', 'sh', '-c']

const canMount = spawnSync('unshare', [...PRIVATE_MOUNTS.slice(1), 'mount -t tmpfs none /mnt']).status === 0
if (!canMount && process.env['CI'])
  throw new Error('These tests mount a tmpfs of their own, which is not allowed here.')

/** A test that mounts something. Where that is not allowed it is skipped and says so; in CI it fails. */
export function itWithMounts(name: string, work: () => Promise<void>): void {
  if (canMount) it(name, work)
  else it.skip(`${name}: SKIPPED, as this user may not mount a tmpfs of its own (try it as root)`, work)
}
