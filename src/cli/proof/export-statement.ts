import { createHash, hash } from 'node:crypto'
import { join } from 'node:path'
import { listBatches, names, readBatch, readPlanState } from '../../batch/folder.ts'
import { checkRecords, type RecordFinding, type RecordSum } from '../../batch/record-sums.ts'
import type { LastVerified } from '../../batch/report-schema.ts'
import { readReport, writeReport } from '../../batch/report.ts'
import { environment } from '../../config/environment.ts'
import { DataferryError } from '../../errors.ts'
import { listMirrors, names as mirrorNames, readOrder } from '../../mirror/order.ts'
import { listRuns, readRun } from '../../mirror/report.ts'
import { writeRunStatement } from '../../mirror/statement.ts'
import { formatCount, plural } from '../../model/format.ts'
import { shellWord } from '../../model/shell-word.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { inMemory, type PackEntry, type Serialization } from '../../proof/pack/pack-entry.ts'
import { packPath, tidy, writePack } from '../../proof/pack/write-pack.ts'
import { readVerifySummary } from '../../proof/verify/summary.ts'
import { checkKey, NAMESPACE, sign, signerOf, type Signing } from '../../proof/ssh-signature.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import { idsMeant } from '../batch-names.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { pasted } from '../pasted.ts'
import { refuseInside } from './hand-on-frame.ts'

/**
 * `dataferry export statement WHAT`: signs the statement that was made when a batch ended, and copies it with the records that it names.
 * Records that do not fit it are refused (1) unless `--accept-changed` is given: then it is made again. With `--check` it only compares
 * them: 1 when they differ.
 */
export async function exportStatement(context: Context, what: string): Promise<ExitCode> {
  const { config, text, has, signal } = context
  const request = readRequest(context)
  const keyFile = text('sign')
  const signing = keyFile === undefined ? undefined : { keyFile, environment: environment(), signal }
  if (signing) await checkKey(signing)
  const from = await openDestination(config, request.from)
  try {
    const subject = await subjectMeant(from, what)
    if (has('check')) return await check(context, from, subject)
    const sums = await stated(context, from, subject)
    if (!sums) return 1
    if (signing) await signList(context, from.records, subject, signing)
    const made = { subject, sums }
    const copy = request.to ? await copyTo(context, request.to, from, made) : undefined
    tell(context, from, { ...made, what, copy, isSigned: signing !== undefined })
    return 0
  } finally {
    await from.close()
  }
}

interface Request {
  readonly from: string
  /** Undefined: it stays beside the records. */
  readonly to: Serialization | undefined
}

function readRequest({ text, has, config }: Context): Request {
  const invalid = (message: string): DataferryError => new DataferryError('ARGUMENT_INVALID', message)
  const from = text('from')
  if (from === undefined) {
    throw invalid('Where is the data? Give --from, the folder or URL that was given to --to before.')
  }
  const isCopied = config.given.destination !== undefined
  if (has('check') && (isCopied || text('sign') !== undefined))
    throw invalid('--check writes nothing: leave out --to and --sign.')
  if (has('check') && has('accept-changed')) throw invalid('--check accepts nothing: leave out --accept-changed.')
  if (has('zip') && has('tar')) throw invalid('Give --zip or --tar, not both.')
  if (!isCopied && (has('zip') || has('tar'))) throw invalid('Where is it to go? Give --to, a folder or URL.')
  return { from, to: !isCopied ? undefined : has('zip') ? 'zip' : has('tar') ? 'tar' : 'folder' }
}

/** A batch that has ended, or a run of a mirror. */
interface Subject {
  /** Where its records are, below `.dataferry/`. */
  readonly folder: string
  /** Of its copy. */
  readonly name: string
  /** Makes its statement from its records. */
  readonly state: () => Promise<unknown>
  /** It says what is known of the last verification. */
  readonly isUpToDate: boolean
  /** A list of its records was made once: where there is none now, somebody removed it. */
  readonly hasList: boolean
  /** Files of it wait, so its records change after a list was made on demand. */
  readonly waits: boolean
}

/**
 * The newest run of a mirror, or a batch by its name or the end of it. Rejects with `BATCH_NOT_FOUND`, `STATEMENT_REFUSED`,
 * `ARGUMENT_INVALID` and `RECORD_UNREADABLE`.
 */
async function subjectMeant({ records, url }: Sink, what: string): Promise<Subject> {
  if ((await listMirrors(records)).includes(what)) return newestRun(records, what)
  const ids = (await listBatches(records)).map(({ id }) => id)
  const [id, other] = idsMeant(what, ids)
  if (other !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `${what} may be ${id ?? ''} or ${other}: give more of the name.`)
  }
  const batch = id === undefined ? undefined : await readBatch(records, id)
  if (!batch) {
    const known = ids.length === 0 ? 'no batch' : ids.slice(-3).join(', ')
    throw new DataferryError('BATCH_NOT_FOUND', `${shownUrl(url)} has no batch or mirror ${what}; it has ${known}.`, {
      advice: 'Give the name of a batch, or of a mirror.',
    })
  }
  const report = await readReport(records, batch.id)
  if (!report && (await records.read(names.report(batch.id))) === undefined) {
    throw new DataferryError('STATEMENT_REFUSED', `Batch ${batch.id} has not ended: its statement is made when it has.`)
  }
  if (!report) return withDamagedReport(batch.id)
  const { finishedAt } = report
  const lastVerified = await lastVerifiedOf(records, { batch: batch.id })
  const state = async () =>
    writeReport(records, batch, await readPlanState(records, batch.id), { finishedAt, isFinal: true, lastVerified })
  const isUpToDate = report.lastVerified?.endedAt === lastVerified?.endedAt
  const [hasList, waits] = [report.records !== undefined, report.waiting > 0]
  return { folder: batch.id, name: batch.id, state, isUpToDate, hasList, waits }
}

/** Its records can be compared with their list, but from them no statement can be made. */
function withDamagedReport(id: string): Subject {
  const state = (): Promise<never> => {
    const message = `.dataferry/${names.report(id)} is damaged, so no statement can be made from it.`
    const advice = `Bring it back from a backup, or let \`dataferry resume\` make it again from the receipts.`
    return Promise.reject(new DataferryError('STATEMENT_REFUSED', message, { advice }))
  }
  return { folder: id, name: id, state, isUpToDate: false, hasList: true, waits: false }
}

/** The last verification of a destination, with what it found of a batch or mirror. */
async function lastVerifiedOf(
  records: Records,
  owner: { readonly batch?: string; readonly mirror?: string },
): Promise<LastVerified | undefined> {
  const summary = await readVerifySummary(records)
  if (!summary?.last) return undefined
  const { last, open, openOf } = summary
  const own = openOf.find(({ batch, mirror }) => batch === owner.batch && mirror === owner.mirror)
  // Where there are very many, not all are in the summary.
  const counted = openOf.reduce((sum, { missing, changed }) => sum + missing + changed, 0)
  const none = counted === open.missing + open.changed ? { missing: 0, changed: 0 } : undefined
  const found = own ? { missing: own.missing, changed: own.changed } : none
  return { endedAt: last.endedAt, by: last.by, read: last.read.files, ...(found && { open: found }) }
}

async function newestRun(records: Records, mirror: string): Promise<Subject> {
  const order = await readOrder(records, mirror)
  const run = (await listRuns(records, mirror)).at(-1)
  const report = run === undefined ? undefined : await readRun(records, mirror, run)
  if (!order || run === undefined || !report) {
    throw new DataferryError('STATEMENT_REFUSED', `Mirror ${mirror} has not run yet: there is nothing to state.`, {
      advice: 'Run it with `dataferry mirror run` first.',
    })
  }
  const folder = `${mirrorNames.runs(mirror)}/${run}`
  const lastVerified = await lastVerifiedOf(records, { mirror })
  const state = () => writeRunStatement(records, folder, order, report, lastVerified)
  // Made again it is the same, unless there was another verification.
  const isUpToDate = lastVerified === undefined
  const hasList = (await records.list(folder)).includes(names.page(folder))
  return { folder, name: `${mirror}-${run}`, state, isUpToDate, hasList, waits: false }
}

async function check({ out }: Context, { records, url }: Sink, { folder }: Subject): Promise<ExitCode> {
  const counts = { right: 0, changed: 0, missing: 0, extra: 0 }
  for await (const { state, name } of checkRecords(records, folder)) {
    counts[state]++
    if (state === 'right') continue
    out.result({ event: 'record', state, name }, `${state.padEnd(7)}  ${name}`, 'bad')
  }
  const wrong = counts.changed + counts.missing + counts.extra
  if (wrong + counts.right === 0) {
    throw new DataferryError(
      'STATEMENT_REFUSED',
      `.dataferry/${folder} has no records.sha256: nothing says what its records were.`,
      {
        advice: 'Make it with the same command without --check.',
      },
    )
  }
  out.record({ event: 'statement', folder, ...counts })
  const place = `${shownUrl(url)}/.dataferry/${folder}`
  out.paragraph(
    wrong === 0
      ? `${place}: ${plural(counts.right, 'record')} as stated`
      : `${place}: ${formatCount(wrong)} of ${plural(wrong + counts.right, 'record')} not as stated`,
    wrong === 0 ? 'good' : 'bad',
  )
  return wrong === 0 ? 0 : 1
}

type Sums = ReadonlyMap<string, RecordSum>

/**
 * Makes a statement that fits the records, unless there is one.
 * @returns the records that it names; undefined: they do not fit the list that was made when they were written, which was told
 */
async function stated(context: Context, { records, url }: Sink, subject: Subject): Promise<Sums | undefined> {
  const { folder, state, isUpToDate } = subject
  const { sums, wrong } = await compared(records, subject)
  if (isUpToDate && sums.size > 0 && wrong.length === 0) return sums
  // What waits has been going on since; a report that was changed may say so in vain.
  const isExpected = subject.waits && sums.has('report.json')
  if (wrong.length > 0 && !isExpected && !context.has('accept-changed')) {
    refuse(context, `${shownUrl(url)}/.dataferry/${folder}`, wrong)
    return undefined
  }
  if (wrong.length > 0) {
    const some = wrong.slice(0, 3).map(({ name }) => name)
    const shown = `${some.join(', ')}${wrong.length > 3 ? ', …' : ''}`
    context.out.warn(`The records are not what the statement said (${shown}): it is made again.`)
  }
  const list = names.recordSums(folder)
  const before = Buffer.from((await records.read(list)) ?? [])
  await state()
  if (!before.equals((await records.read(list)) ?? Buffer.from([]))) {
    await records.remove(names.signature(folder))
    await records.remove(names.signers(folder))
  }
  return (await compared(records, subject)).sums
}

type Misfit = Exclude<RecordFinding, { readonly state: 'right' }>

function refuse({ out }: Context, place: string, wrong: readonly Misfit[]): void {
  for (const { state, name } of wrong) {
    out.result({ event: 'record', state, name }, `${state.padEnd(7)}  ${name}`, 'bad')
  }
  out.paragraph(
    `${place}: ${plural(wrong.length, 'record')} not as stated: nothing was made, signed or copied. Bring them back from a ` +
      'backup; if you know why they changed, add --accept-changed, and the statement is made again from what is there.',
    'bad',
  )
}

async function compared(
  records: Records,
  { folder, hasList }: Subject,
): Promise<{ readonly sums: Sums; readonly wrong: readonly Misfit[] }> {
  const sums = new Map<string, RecordSum>()
  const wrong: Misfit[] = []
  for await (const finding of checkRecords(records, folder)) {
    if (finding.state === 'right') sums.set(finding.name, finding)
    else wrong.push(finding)
  }
  const isGone = hasList && sums.size + wrong.length === 0
  return { sums, wrong: isGone ? [{ state: 'missing', name: LIST }] : wrong }
}

/** Writes the signature of the list, and whose it is. */
async function signList({ config }: Context, records: Records, { folder }: Subject, signing: Signing): Promise<void> {
  const signature = await sign(signing, records.streamLog(names.recordSums(folder), 0))
  const signers =
    '# Whose signature records.sha256.sig is. Anybody can write this file: compare the key with one that you have from its owner.\n' +
    `${signerName(config)} namespaces="${NAMESPACE}" ${signerOf(signature) ?? ''}\n`
  await records.write(names.signers(folder), signers)
  await records.write(names.signature(folder), signature)
}

/** As `allowed_signers` can have it: there a comma, a blank or an asterisk would mean something. */
function signerName({ settings }: Context['config']): string {
  const mail = settings.contactEmail ?? settings.organizationEmail ?? ''
  return /^[\w.+-]+@[\w.-]+$/.test(mail) ? mail : 'dataferry'
}

interface Stated {
  readonly subject: Subject
  readonly sums: Sums
}

/** Copies the statement with every record that it names. @returns where to */
async function copyTo(
  { config, signal }: Context,
  serialization: Serialization,
  { records, url }: Sink,
  { subject: { folder, name }, sums }: Stated,
): Promise<string> {
  const to = await openDestination(config)
  try {
    refuseInside({ url }, to)
    const path = packPath(name, serialization)
    const place = `${shownUrl(to.url)}/${path}`
    const seals = await sealsOf((file) => records.read(`${folder}/${file}`))
    const there =
      serialization === 'folder' ? await sealsOf((file) => readAt(to, `${path}/${file}`, signal)) : [undefined]
    const isFile = serialization !== 'folder' && (await to.stat(path, KEY, signal)) !== undefined
    if (isFile || there.some((bytes) => bytes !== undefined)) {
      if (seals.every((bytes, at) => Buffer.from(bytes ?? []).equals(there[at] ?? Buffer.from([])))) return place
      throw new DataferryError('SINK_EXISTS', `${place} is there, and is another statement.`, {
        advice: 'Move it away, or give another place with --to.',
      })
    }
    const stamp = hash('sha256', Buffer.concat(seals.map((bytes) => bytes ?? new Uint8Array()))).slice(0, 32)
    const target = { sink: to, serialization, marker: LIST, stamp, stamped: LIST, now: new Date(), signal }
    await writePack(name, entriesOf(records, folder, sums, seals), target)
    return place
  } finally {
    await tidy(to)
  }
}

/** For looks at paths that belong to no batch. */
const KEY = 'statement-0'
const LIST = 'records.sha256'
/** What a statement has besides the records that its list names; the list last. */
const SEALS = ['allowed_signers', `${LIST}.sig`, LIST]

async function sealsOf(
  read: (file: string) => Promise<Uint8Array | undefined>,
): Promise<readonly (Uint8Array | undefined)[]> {
  const seals: (Uint8Array | undefined)[] = []
  for (const file of SEALS) seals.push(await read(file))
  return seals
}

async function readAt(sink: Sink, path: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (!(await sink.stat(path, KEY, signal))) return undefined
  return Buffer.concat((await (await sink.read(path, signal)).toArray()) as Buffer[])
}

// eslint-disable-next-line @typescript-eslint/require-await -- their bytes are read with awaits
async function* entriesOf(
  records: Records,
  folder: string,
  sums: Sums,
  seals: readonly (Uint8Array | undefined)[],
): AsyncGenerator<PackEntry, void> {
  for (const sum of sums.values()) {
    yield { path: sum.name, size: sum.size, chunks: listedBytes(records, folder, sum) }
  }
  for (const [at, path] of SEALS.entries()) {
    const bytes = seals[at]
    if (bytes) yield { path, size: bytes.length, chunks: inMemory(bytes) }
  }
}

/** The bytes of a record. Rejects with `CHECKSUM_MISMATCH` where they are not, or no longer, those that the list names. */
async function* listedBytes(records: Records, folder: string, { name, sha256 }: RecordSum): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of records.streamLog(`${folder}/${name}`, 0)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') === sha256) return
  throw new DataferryError('CHECKSUM_MISMATCH', `.dataferry/${folder}/${name} was changed while it was copied.`, {
    advice: 'See with the same command and --check, without --to and --sign, what does not fit.',
  })
}

interface Made extends Stated {
  /** As it was named. */
  readonly what: string
  /** Where it was copied to, if it was. */
  readonly copy: string | undefined
  readonly isSigned: boolean
}

/** Says where the statement is, and how it is checked. */
function tell(
  { out, config, text }: Context,
  { url }: Sink,
  { subject: { folder }, sums, what, copy, isSigned }: Made,
): void {
  const place = copy ?? `${shownUrl(url)}/.dataferry/${folder}`
  out.record({ event: 'statement', folder, path: place, records: sums.size, signed: isSigned })
  out.paragraph(`${place}: the statement, which fits ${plural(sums.size, 'record')}`, 'good')
  const isFolder = !/^\w+:\/\//.test(place) && !/\.(zip|tar)$/.test(place)
  if (!isFolder) {
    const words = ['statement', what, '--from', text('from') ?? '']
    if (copy === undefined) {
      out.line('To check it, copy it first:')
      out.line(`  ${pasted(config, 'export', [...words, '--to', './audit'])}`)
    }
    return
  }
  const at = (name: string): string => shellWord(join(place, name))
  out.line('To check the records:')
  out.line(`  (cd ${shellWord(place)} && sha256sum -c --quiet ${LIST})`)
  if (!isSigned) return
  const flags = `-f ${at('allowed_signers')} -I ${signerName(config)} -n ${NAMESPACE} -s ${at(`${LIST}.sig`)}`
  out.line('To check the signature:')
  out.line(`  ssh-keygen -Y verify ${flags} < ${at(LIST)}`)
  out.paragraph('allowed_signers has the key of the signature: compare it with one that you have from its owner.')
}
