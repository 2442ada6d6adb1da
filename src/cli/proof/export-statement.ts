import { dirname, join } from 'node:path'
import { names } from '../../batch/folder.ts'
import { LIST } from '../../batch/record-sums.ts'
import { environment } from '../../config/environment.ts'
import { DataferryError } from '../../errors.ts'
import { plural } from '../../model/format.ts'
import { shellWord } from '../../model/shell-word.ts'
import { shownUrl } from '../../model/shown-url.ts'
import type { Serialization } from '../../proof/pack/pack-entry.ts'
import { checkKey } from '../../proof/ssh-signature.ts'
import { NAMESPACE } from '../../proof/ssh-keygen.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { pasted } from '../pasted.ts'
import { check, compared, linkedTold, tellMisfit, tellUnfinished, type Misfit, type Sums } from './check-statement.ts'
import { copyTo, type Stated } from './copy-statement.ts'
import { checkSigners, SIGNERS } from './find-signature.ts'
import { signerOfList, signList } from './sign-statement.ts'
import { subjectMeant, type Subject } from './statement-subject.ts'

/**
 * `dataferry export statement WHAT`: signs the statement that was made when a batch ended, and copies it with the records that it names.
 * Records that do not fit it are refused (1) unless `--accept-changed` is given: then it is made again. With `--check` it only compares
 * them: 1 when they differ.
 */
export async function exportStatement(context: Context, what: string): Promise<ExitCode> {
  const { config, text, has, signal } = context
  const request = readRequest(context)
  const keyFile = text('sign')
  const key = keyFile === undefined ? undefined : { keyFile, environment: environment(), signal }
  const signing = key && { ...key, fingerprint: await checkKey(key) }
  await checkSigners(context)
  const from = await openDestination(config, request.from)
  try {
    const subject = await subjectMeant(from, what)
    if (has('check')) return await check(context, from, subject)
    const sums = await stated(context, from, subject)
    if (!sums) return 1
    if (signing) await signList(context, from.records, subject, signing)
    const made = { subject, sums }
    const copy = request.to ? await copyTo(context, request.to, from, made) : undefined
    tell(context, from, { ...made, what, copy, signer: await signerOfList(from.records, subject) })
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
  if (!has('check') && text(SIGNERS) !== undefined) throw invalid(`--${SIGNERS} is for --check.`)
  if (has('zip') && has('tar')) throw invalid('Give --zip or --tar, not both.')
  if (!isCopied && (has('zip') || has('tar'))) throw invalid('Where is it to go? Give --to, a folder or URL.')
  return { from, to: !isCopied ? undefined : has('zip') ? 'zip' : has('tar') ? 'tar' : 'folder' }
}

/**
 * Makes a statement that fits the records, unless there is one.
 * @returns the records that it names; undefined: they do not fit the list that was made when they were written, which was told
 */
async function stated(context: Context, { records, url }: Sink, subject: Subject): Promise<Sums | undefined> {
  const { folder, state, isUpToDate } = subject
  const place = `${shownUrl(url)}/.dataferry/${folder}`
  const { sums, wrong } = await compared(records, subject)
  // What waits has been going on since; a report that was changed may say so in vain.
  const isExpected = subject.waits && sums.has('report.json')
  if (wrong.length > 0 && !isExpected && !context.has('accept-changed')) {
    refuse(context, place, wrong)
    return undefined
  }
  if (await refusedForLinked(context, place, subject)) return undefined
  if (isUpToDate && sums.size > 0 && wrong.length === 0) return sums
  if (wrong.length > 0) {
    const some = wrong.slice(0, 3).map(({ name }) => name)
    const shown = `${some.join(', ')}${wrong.length > 3 ? ', …' : ''}`
    context.out.warn(`The records are not what the statement said (${shown}): it is made again.`)
  }
  const list = names.recordSums(folder)
  const before = Buffer.from((await records.read(list)) ?? [])
  const wasSigned = (await records.read(names.signature(folder))) !== undefined
  await state()
  if (!before.equals((await records.read(list)) ?? Buffer.from([]))) {
    if (wasSigned && context.text('sign') === undefined) {
      context.out.warn(
        'The statement was made again with what is known since, so its signature is gone. Sign it with --sign.',
      )
    }
    await records.remove(names.signature(folder))
    await records.remove(names.signers(folder))
  }
  return (await compared(records, subject)).sums
}

function refuse({ out }: Context, place: string, wrong: readonly Misfit[]): void {
  for (const one of wrong) tellMisfit(out, one)
  out.paragraph(
    `${place}: ${plural(wrong.length, 'record')} not as stated: nothing was made, signed or copied. Bring them back from a ` +
      'backup; if you know why they changed, add --accept-changed, and the statement is made again from what is there.',
    'bad',
  )
}

/** Whether records that those of the statement lead to are not as these say, which was told. */
async function refusedForLinked(context: Context, place: string, subject: Subject): Promise<boolean> {
  let wrong = 0
  for await (const { state } of linkedTold(context, subject)) if (state === 'changed' || state === 'missing') wrong++
  if (wrong === 0) return false
  context.out.paragraph(
    `${place}: ${plural(wrong, 'record')} of datasets not as its datasets.ndjson says: nothing was made, signed or copied. ` +
      'Bring them back from a backup.',
    'bad',
  )
  tellUnfinished(context, subject)
  return true
}

interface Made extends Stated {
  /** As it was named. */
  readonly what: string
  /** Where it was copied to, if it was. */
  readonly copy: string | undefined
  /** Who signed it, if it is signed. */
  readonly signer: string | undefined
}

/** Says where the statement is, and how it is checked. */
function tell({ out, config, text }: Context, { url }: Sink, made: Made): void {
  const { subject, sums, what, copy, signer } = made
  const { folder } = subject
  const place = copy ?? `${shownUrl(url)}/.dataferry/${folder}`
  out.record({ event: 'statement', folder, path: place, records: sums.size, signed: signer !== undefined })
  out.paragraph(`${place}: the statement, which fits ${plural(sums.size, 'record')}`, 'good')
  if (/^\w+:\/\//.test(place)) {
    out.line('To check it, copy it to a folder first:')
    out.line(`  ${pasted(config, 'export', ['statement', what, '--from', text('from') ?? '', '--to', './audit'])}`)
    return
  }
  const unpacked = place.replace(/\.(zip|tar)$/, '')
  if (copy?.endsWith('.zip') || copy?.endsWith('.tar')) {
    const [file, into] = [shellWord(place), shellWord(dirname(place))]
    out.line('To unpack it:')
    out.line(copy.endsWith('.zip') ? `  unzip -q ${file} -d ${into}` : `  tar -xf ${file} -C ${into}`)
  }
  const at = (name: string): string => shellWord(join(unpacked, name))
  out.line('To check the records:')
  out.line(`  (cd ${shellWord(unpacked)} && sha256sum -c --quiet ${LIST})`)
  if (signer === undefined) return
  const flags = `-f ${at('allowed_signers')} -I ${signer} -n ${NAMESPACE} -s ${at(`${LIST}.sig`)}`
  out.line('To check the signature:')
  out.line(`  ssh-keygen -Y verify ${flags} < ${at(LIST)}`)
  out.paragraph('allowed_signers has the key of the signature: compare it with one that you have from its owner.')
}
