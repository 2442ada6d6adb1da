import type { Asked } from '../src/batch/asked.ts'
import { DataferryError } from '../src/errors.ts'
import type { OpenSource } from '../src/model/source.ts'

/**
 * Opens a ZIP of files, some of which may be withheld. A short list leaves those out by itself. A long one has to be
 * posted, and is refused as a whole since Dataverse 6.10 (protocol note §1.4): then it is asked for again without what
 * the listing says is withheld.
 */
export function openAllowed(open: OpenSource, asked: Asked | undefined): OpenSource {
  const withheld = new Set(asked?.files.flatMap((file) => (file.withheld === undefined ? [] : [file.id])))
  return async (ref, from, options) => {
    try {
      return await open(ref, from, options)
    } catch (error) {
      if (!(error instanceof DataferryError) || error.code !== 'SOURCE_DENIED' || ref.kind !== 'zip') throw error
      const files = ref.files.filter((id) => !withheld.has(id))
      if (files.length === 0 || files.length === ref.files.length) throw error
      return open({ ...ref, files }, from, options)
    }
  }
}
