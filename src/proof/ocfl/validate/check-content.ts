import { eachConcurrently } from '../../../async/each-concurrently.ts'
import { messageOf, systemCode } from '../../../errors.ts'
import { Digests } from '../../digests.ts'
import type { Tree } from '../../tree.ts'
import { findingOf, FIXITY, type OcflFinding } from './codes.ts'
import type { Expectation, ExpectedContent } from './expected-content.ts'

/** How objects are read. */
export interface TreeReading {
  readonly tree: Tree
  /** Without it, content is not read: it has only to be there. */
  readonly readsContent: boolean
  readonly signal: AbortSignal
  /** Called when reading a file begins. What it returns is called with the bytes so far, and with undefined at the end. */
  readonly onRead: (path: string, size: number) => (bytes: number | undefined) => void
}

export interface CheckedContent {
  readonly files: number
  readonly bytes: number
  readonly findings: readonly OcflFinding[]
  /** Those of fixity that cannot be checked. */
  readonly algorithms: ReadonlySet<string>
}

/** Files of an object that are read at the same time. */
const FILES_AT_ONCE = 4

/**
 * Compares the content of an object with what its inventories say of it, in threads for what is large.
 * @param sizes of what is there, by path in the object
 */
export async function checkContent(
  expected: ExpectedContent,
  sizes: ReadonlyMap<string, number>,
  reading: TreeReading & { readonly place: (path: string) => string },
): Promise<CheckedContent> {
  const findings: OcflFinding[] = []
  const algorithms = new Set<string>()
  const counts = { files: 0, bytes: 0 }
  await eachConcurrently(expected.files(), FILES_AT_ONCE, async ([path, claims]) => {
    reading.signal.throwIfAborted()
    const place = reading.place(path)
    const size = sizes.get(path)
    if (size === undefined) {
      for (const code of new Set(claims.map((one) => one.code))) {
        findings.push(findingOf(code, place, `it is not there, and ${claims[0]?.by ?? ''} names it`))
      }
      return
    }
    counts.files++
    counts.bytes += size
    for (const { code, algorithm } of claims) if (code === 'E093' && isUnknown(algorithm)) algorithms.add(algorithm)
    const found = reading.readsContent
      ? await digestsOf(place, size, claims, reading)
      : new Map<string, string>([['size', String(size)]])
    if (typeof found === 'string') {
      findings.push({ level: 'error', path: place, message: `It cannot be read: ${found}.` })
      return
    }
    for (const { code, algorithm, digest, by } of claims) {
      const is = found.get(algorithm)
      if (is === undefined || is === digest) continue
      findings.push(findingOf(code, place, `${algorithm} is ${is}, and ${by} says ${digest}`))
    }
  })
  return { ...counts, algorithms, findings: findings.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }
}

function isUnknown(algorithm: string): boolean {
  return FIXITY.get(algorithm) === undefined && algorithm !== 'size'
}

/** By their names in OCFL. @returns why the file cannot be read */
async function digestsOf(
  place: string,
  size: number,
  claims: readonly Expectation[],
  { tree, signal, onRead }: TreeReading,
): Promise<ReadonlyMap<string, string> | string> {
  const wanted = new Map(claims.flatMap(({ algorithm }) => nativeName(algorithm)))
  const digests = new Digests(wanted.values(), size)
  const tell = onRead(place, size)
  try {
    const chunks = await tree.read(place)
    if (!chunks) return 'it is no file'
    let bytes = 0
    for await (const chunk of digests.through(chunks)) {
      signal.throwIfAborted()
      tell((bytes += chunk.length))
    }
    const { digests: found } = await digests.result()
    const named = [...wanted].map(([name, native]) => [name, found.get(native) ?? ''] as const)
    return new Map([...named, ['size', String(bytes)]])
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return messageOf(error)
  } finally {
    digests.close()
    tell(undefined)
  }
}

function nativeName(algorithm: string): readonly (readonly [name: string, native: string])[] {
  const native = FIXITY.get(algorithm)
  return native === undefined ? [] : [[algorithm, native]]
}
