import { isUtf8 } from 'node:buffer'
import { lstat, readdir } from 'node:fs/promises'
import { ABSENT, unless } from './errors.ts'

/** What Node puts for each byte of a name that is not UTF-8. */
export const REPLACED = '\uFFFD'

/**
 * Regular files below a folder, found by the bytes of their names: of those that are not UTF-8, `\xff` stands for each
 * byte that is not ASCII. Does not follow links; what vanishes meanwhile is left out.
 * @param isMeant chooses among the names that are in the folder itself
 */
export async function* walkByBytes(
  folder: Buffer,
  shown: string,
  signal: AbortSignal,
  isMeant: (name: string) => boolean = () => true,
): AsyncGenerator<{ path: string; size: number }> {
  const entries = await unless(ABSENT, readdir(folder, { encoding: 'buffer', withFileTypes: true }))
  for (const entry of entries ?? []) {
    signal.throwIfAborted()
    if (!isMeant(entry.name.toString())) continue
    const place = Buffer.concat([folder, Buffer.from('/'), entry.name])
    const path = shown === '' ? textOf(entry.name) : `${shown}/${textOf(entry.name)}`
    if (entry.isDirectory()) yield* walkByBytes(place, path, signal)
    const found = entry.isFile() ? await unless(ABSENT, lstat(place)) : undefined
    if (found) yield { path, size: found.size }
  }
}

function textOf(name: Buffer): string {
  if (isUtf8(name)) return name.toString()
  return [...name].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join('')
}
