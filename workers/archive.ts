import { algorithmsOf } from '../src/archive/algorithms.ts'
import { checkStream } from '../src/archive/check-stream.ts'
import { compareWithAsked, type AskedFile, type Comparison } from '../src/archive/compare.ts'
import { DEFAULT_LIMITS, limitsFor, type ArchiveLimits } from '../src/archive/limits.ts'
import { readAsked, type Asked } from '../src/batch/asked.ts'
import { DataferryError } from '../src/errors.ts'
import type { Format, Item, Ref } from '../src/model/item.ts'
import { withContent, type LeftOut, type Receipt } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import { transferArchive, type Inspect } from '../src/transfer/transfer-archive.ts'
import type { Run } from '../src/transfer/transfer.ts'
import type { OpenBatch } from './batches.ts'

/**
 * Fetches an archive, unless one was kept. It is inspected either way: only its content tells what was left
 * out of it.
 */
export async function archiveReceipt(
  item: Item,
  { batch, sink }: OpenBatch,
  kept: Receipt | undefined,
  run: Run,
  open: OpenSource,
): Promise<Receipt> {
  const asked = await readAsked(sink.records, batch.id, item.n)
  const inspect = inspector(item.ref, asked)
  // `skip` means not to look at what is there.
  if (kept?.verified === 'nothing') return kept
  if (kept) return withContent(kept, await inspect(await sink.read(item.path, run.signal), run.signal))
  return transferArchive(item, { open: openAllowed(open, asked), sink }, run, inspect)
}

/**
 * Opens a ZIP of files, some of which may be withheld. For a short list the server leaves those out. A long one must be
 * posted, and is refused as a whole since Dataverse 6.10 (protocol note §1.4): then it is requested again without what
 * the listing marks as withheld.
 */
function openAllowed(open: OpenSource, asked: Asked | undefined): OpenSource {
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

/** Inspects an archive as it streams past: whether it is sound, and which of the requested files are in it. */
function inspector(ref: Ref, asked: Asked | undefined): Inspect {
  const files: readonly AskedFile[] = asked?.files ?? []
  const unknown: readonly LeftOut[] = (asked?.unknown ?? []).map((id) => ({ id, path: String(id), reason: 'unknown' }))
  // The ZIP of all forms holds the original beside the others.
  const format = ref.kind === 'all-forms' ? 'original' : ref.format
  const algorithms = algorithmsOf(files.map(({ checksum }) => checksum))
  const limits = ref.kind === 'all-forms' ? DEFAULT_LIMITS : limitsOf(files, format)
  return async (bytes, signal) => {
    const { entries, manifest } = await checkStream(bytes, { limits, algorithms, signal })
    const comparison = compareWithAsked(entries, manifest, files, format)
    return { leftOut: [...comparison.leftOut.map(leftOut), ...unknown], note: noteOf(comparison, files.length) }
  }
}

/** Twice the requested bytes, if every size is known; archival forms are a little longer than listed. */
function limitsOf(files: readonly AskedFile[], format: Format): ArchiveLimits {
  let bytes = 0
  for (const { tabular, original, size } of files) {
    const own = tabular && format === 'original' ? original?.size : size
    if (own === undefined) return DEFAULT_LIMITS
    bytes += Math.max(own, size ?? 0)
  }
  return files.length === 0 ? DEFAULT_LIMITS : limitsFor({ files: files.length, bytes })
}

function leftOut({ file, reason, ambiguous }: Comparison<AskedFile>['leftOut'][number]): LeftOut {
  const path = [file.directory, file.label].filter((part) => part !== '').join('/')
  // A file that was not requested, since the listing marks it as withheld, is mentioned nowhere.
  const why = reason === 'missing' ? (file.withheld ?? reason) : reason
  return { id: file.id, path, reason: why, ...(ambiguous && { ambiguous }) }
}

function noteOf({ included, extra }: Comparison<AskedFile>, asked: number): string {
  if (asked === 0) return `${extra.length} entries, sound`
  const by = (proof: string) => included.filter(({ verified }) => verified === proof).length
  const proofs = ['checksum', 'size', 'structure'].flatMap((proof) =>
    by(proof) > 0 ? [`${by(proof)} by ${proof}`] : [],
  )
  const verified = proofs.length > 0 ? `: ${proofs.join(', ')}` : ''
  return `${included.length} of ${asked} requested files are in it${verified}`
}
