import type { Checksum } from '../model/checksum.ts'
import type { Format } from '../model/item.ts'
import type { ListedFile } from '../model/listing.ts'
import type { Verified } from '../model/receipt.ts'
import type { ArchiveEntry } from './archive-report.ts'
import { EntryPool, groupBy } from './entry-pool.ts'
import { isFolder } from './names.ts'
import type { ManifestTxt, SkipReason } from './manifest-txt.ts'

/** A requested file, as its dataset's listing describes it. */
export type AskedFile = Pick<
  ListedFile,
  'id' | 'label' | 'directory' | 'size' | 'checksum' | 'tabular' | 'original' | 'withheld'
>

/**
 * Why a requested file is not in an archive: the manifest's reason, or
 * - `missing`: neither there nor mentioned
 * - `other-form`: the archival form came in place of the original
 * - `mismatch`: an entry has its name, but not its size or checksum
 */
type LeftOutReason = SkipReason | 'missing' | 'other-form' | 'mismatch'

interface IncludedFile<F extends AskedFile> {
  readonly file: F
  readonly entry: ArchiveEntry
  /** `structure`: the archive's own records agree, and the listing has nothing to compare with. */
  readonly verified: Extract<Verified, 'checksum' | 'size' | 'structure'>
}

interface LeftOutFile<F extends AskedFile> {
  readonly file: F
  readonly reason: LeftOutReason
  /** The manifest names bare labels, and several files of that label are missing: which of them is meant is a guess. */
  readonly ambiguous: boolean
}

export interface Comparison<F extends AskedFile> {
  readonly included: readonly IncludedFile<F>[]
  readonly leftOut: readonly LeftOutFile<F>[]
  /** Entries that match no requested file. */
  readonly extra: readonly ArchiveEntry[]
}

/** How a requested file appears in the archive. */
interface Expected<F extends AskedFile> {
  readonly file: F
  /** Full path; a repeated one gets a number in the archive. */
  readonly name: string
  readonly checksum: Checksum | undefined
  readonly size: number | undefined
  /** Name of the form that was not requested. */
  readonly otherForm: string | undefined
}

/**
 * Determines which of the requested files are in an archive, and why the others are not.
 * Names in the archive are those of the newest metadata and may differ from the listing's, so equal checksums decide
 * before names do; then name and size; then the name alone, where the listing promises nothing about the bytes, as for
 * archival forms. An entry matches one file.
 *
 * By its checksum alone, under another name, a file is found only where no other file has a better claim: several files may
 * have the same bytes, and one that the server withheld must not be reported as present in place of another.
 * `entries` with the checksums of the algorithms that `asked` uses, see `algorithmsOf`.
 * @see the protocol note §2.3–2.5 for names, numbers of repeated names, and the manifest's lines.
 */
export function compareWithAsked<F extends AskedFile>(
  entries: readonly ArchiveEntry[],
  manifest: ManifestTxt | undefined,
  asked: readonly F[],
  format: Format,
): Comparison<F> {
  const pool = new EntryPool(entries.filter(({ name }) => !isFolder(name)))
  const included: IncludedFile<F>[] = []
  let open = asked.map((file) => expectation(file, format))
  const claim = ({ verified, find }: Rule, files: readonly Expected<F>[]): Expected<F>[] =>
    files.filter((expected) => {
      const entry = find(pool, expected)
      if (!entry) return true
      pool.take(entry)
      included.push({ file: expected.file, entry, verified })
      return false
    })
  const claimByContent = (taken: ReadonlySet<ArchiveEntry>): void => {
    const find: Rule['find'] = (pool, { checksum }) =>
      checksum && pool.withChecksum(checksum, (entry) => !taken.has(entry))
    const candidates = likelyFirst(open, manifest)
    const still = new Set(claim({ verified: 'checksum', find }, candidates))
    open = open.filter((expected) => still.has(expected) || !candidates.includes(expected))
  }
  for (const rule of BY_CHECKSUM) open = claim(rule, open)
  claimByContent(named(open, pool))
  for (const rule of BY_NAME) open = claim(rule, open)
  claimByContent(new Set())
  const leftOut = explain(open, manifest, pool)
  return { included, leftOut, extra: pool.left() }
}

interface Rule {
  readonly verified: IncludedFile<AskedFile>['verified']
  readonly find: (pool: EntryPool, expected: Expected<AskedFile>) => ArchiveEntry | undefined
}

/** Within one proof the closest name first. */
function rulesOf(verified: Rule['verified']): readonly Rule[] {
  return [
    { verified, find: (pool, file) => pool.named(file.name, agreesBy(verified, file)) },
    { verified, find: (pool, file) => pool.numbered(file.name, agreesBy(verified, file)) },
  ]
}

/** The strongest proof first. */
const BY_CHECKSUM = rulesOf('checksum')
const BY_NAME = [...rulesOf('size'), ...rulesOf('structure')]

/** Entries that a file without a checksum matches by name, with nothing to the contrary. */
function named(files: readonly Expected<AskedFile>[], pool: EntryPool): Set<ArchiveEntry> {
  return new Set(files.flatMap((file) => BY_NAME.map(({ find }) => find(pool, file)).find(Boolean) ?? []))
}

/** The files that may be in the archive: without those that the manifest certainly names, and last those that it may name. */
function likelyFirst<F extends AskedFile>(
  open: readonly Expected<F>[],
  manifest: ManifestTxt | undefined,
): Expected<F>[] {
  const reasons = skipReasons(manifest)
  const labelOf = (file: Expected<F>): string | undefined => [...skipNames(file)].find((name) => reasons.has(name))
  const sizes = new Map([...groupBy(open, labelOf)].map(([label, group]) => [label, group.length]))
  const isOut = (label: string): boolean => (sizes.get(label) ?? 0) <= (reasons.get(label)?.length ?? 0)
  const rank = (file: Expected<F>): number => (labelOf(file) === undefined && !file.file.withheld ? 0 : 1)
  const candidates = open.filter((file) => {
    const label = labelOf(file)
    return label === undefined || !isOut(label)
  })
  return candidates.toSorted((a, b) => rank(a) - rank(b))
}

function agreesBy(
  proof: IncludedFile<AskedFile>['verified'],
  file: Expected<AskedFile>,
): (entry: ArchiveEntry) => boolean {
  return (entry) => agrees(entry, file) === proof
}

/** How strongly an entry's bytes are proven to be the expected ones; undefined: they are not. */
function agrees(
  entry: ArchiveEntry,
  { checksum, size }: Expected<AskedFile>,
): IncludedFile<AskedFile>['verified'] | undefined {
  const own = entry.checksums.find(({ algorithm }) => algorithm === checksum?.algorithm)
  if (own) return own.hex === checksum?.hex ? 'checksum' : undefined
  if (size !== undefined) return size === entry.size ? 'size' : undefined
  return 'structure'
}

function expectation<F extends AskedFile>(file: F, format: Format): Expected<F> {
  const at = (name: string) => [...file.directory.split('/').filter((segment) => segment !== ''), name].join('/')
  if (!file.tabular) {
    return { file, name: at(file.label), checksum: file.checksum, size: file.size, otherForm: undefined }
  }
  // The listed size of an archival form lacks the header line that the server may add: nothing to compare with.
  if (format === 'archival') {
    return { file, name: at(file.label), checksum: undefined, size: undefined, otherForm: undefined }
  }
  // The server derives a name that it has not stored from the label: only a checksum finds that entry.
  const { name = file.label.replace(/\.tab$/i, ''), size } = file.original ?? {}
  return { file, name: at(name), checksum: file.checksum, size, otherForm: at(file.label) }
}

/** Gives each missing file its reason: first a line of the manifest, then an entry that only has its name. */
function explain<F extends AskedFile>(
  open: readonly Expected<F>[],
  manifest: ManifestTxt | undefined,
  pool: EntryPool,
): LeftOutFile<F>[] {
  const reasons = skipReasons(manifest)
  const byLabel = groupBy(open, (expected) => [...skipNames(expected)].find((name) => reasons.has(name)) ?? '')
  return [...byLabel].flatMap(([label, group]) => {
    const lines = [...(reasons.get(label) ?? [])]
    const ambiguous = lines.length > 0 && (lines.length < group.length || new Set(lines).size > 1)
    // The listing's description is the best guess at which of several lines is a file's own.
    const hinted = group.toSorted((a, b) => hintRank(a, lines) - hintRank(b, lines))
    return hinted.map((expected) => {
      const reason = takeReason(lines, expected.file) ?? reasonFromEntries(expected, pool)
      return { file: expected.file, reason, ambiguous }
    })
  })
}

function skipReasons(manifest: ManifestTxt | undefined): Map<string, SkipReason[]> {
  const reasons = new Map<string, SkipReason[]>()
  for (const line of manifest?.lines ?? []) {
    if (line.kind !== 'skipped') continue
    const known = reasons.get(line.label)
    if (known) known.push(line.reason)
    else reasons.set(line.label, [line.reason])
  }
  return reasons
}

/** Names that a line of the manifest may use for a file: the label, or the name in the archive if the stream failed. */
function skipNames({ file, name }: Expected<AskedFile>): Set<string> {
  return new Set([name, file.label, name.slice(name.lastIndexOf('/') + 1)])
}

function hintRank({ file }: Expected<AskedFile>, lines: readonly SkipReason[]): number {
  return lines.some((reason) => reason === file.withheld) ? 0 : 1
}

function takeReason(lines: SkipReason[], file: AskedFile): SkipReason | undefined {
  const own = lines.findIndex((reason) => reason === file.withheld)
  return lines.splice(Math.max(own, 0), 1)[0]
}

function reasonFromEntries(expected: Expected<AskedFile>, pool: EntryPool): LeftOutReason {
  const other = expected.otherForm === undefined ? undefined : pool.like(expected.otherForm)
  const entry = pool.like(expected.name) ?? other
  if (!entry) return 'missing'
  pool.take(entry)
  return entry === other ? 'other-form' : 'mismatch'
}
