import { ExternalSort } from '../../batch/external-sort.ts'
import { objectPaths } from '../../proof/ocfl/object-receipts.ts'
import { OBJECT_DECLARATION } from '../../proof/ocfl/inventory.ts'
import { failedSchema, type Failed } from '../../proof/repair/failed.ts'
import type { WrongFile, WrongFiles } from '../../proof/repair/wrong-files.ts'
import { isRecord } from '../../sinks/names.ts'
import type { Sink } from '../../sinks/sink.ts'

/**
 * Tells what can be repaired from what cannot: content is worth nothing in an object whose declaration, inventory or sidecar is
 * wrong, unless a copy can give these back as well.
 * @returns why not, by path
 */
export async function sortOut(
  sink: Sink,
  wrong: WrongFiles,
  mendable: WrongFiles,
  { hasCopy, signal }: { readonly hasCopy: boolean; readonly signal: AbortSignal },
): Promise<ExternalSort<Failed>> {
  const objectOf = objectPaths(sink, signal)
  const broken = new Set<string>()
  for await (const one of wrong.all()) {
    const object = await objectOf(one)
    if (object === undefined || !isFrame(one, object)) continue
    if (!hasCopy || !one.expected.checksum) broken.add(object)
  }
  const refused = new ExternalSort<Failed>(failedSchema)
  for await (const one of wrong.all()) {
    const object = await objectOf(one)
    const { path } = one
    if (isRecord(path)) {
      const message = 'Metadata that a mirror keeps is not repaired: put it back from a copy of the destination.'
      await refused.add(path, { path, code: 'RECORD_UNREADABLE', message })
    } else if (object !== undefined && broken.has(object)) {
      const message = hasCopy
        ? `Nothing here tells what the object ${object} should be: put its whole folder back from a copy, then verify.`
        : `The object ${object} lacks its declaration, inventory or sidecar: use --from with another copy.`
      await refused.add(path, { path, code: 'OCFL_REFUSED', message })
    } else await mendable.add(one)
  }
  return refused
}

/** Whether a file is one that makes a folder an object. */
function isFrame({ path }: WrongFile, object: string): boolean {
  const name = path.slice(object.length + 1)
  return name === OBJECT_DECLARATION || /^inventory\.json(\.sha\d+)?$/.test(name)
}
