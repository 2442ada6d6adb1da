import { algorithmsOf } from '../src/archive/algorithms.ts'
import { checkStream } from '../src/archive/check-stream.ts'
import { compareWithAsked, type AskedFile, type Comparison } from '../src/archive/compare.ts'
import { DEFAULT_LIMITS, limitsFor, type ArchiveLimits } from '../src/archive/limits.ts'
import type { Asked } from '../src/batch/asked.ts'
import type { Format, Ref } from '../src/model/item.ts'
import type { LeftOut } from '../src/model/receipt.ts'
import type { Inspect } from '../src/transfer/transfer-archive.ts'

/** Looks into an archive that goes past: is it sound, and which of the files asked for are in it? */
export function inspector(ref: Ref, asked: Asked | undefined): Inspect {
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

/** Twice what is asked for, as far as every size is known; archival forms are a little longer than listed. */
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
  // A file that was not asked for, since the listing calls it withheld, is mentioned nowhere.
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
  return `${included.length} of ${asked} files asked for are in it${verified}`
}
