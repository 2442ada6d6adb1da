import { openBag, storedBag, type BagSource } from '../../proof/bagit/bag-source.ts'
import { checkBag, type BagFinding } from '../../proof/bagit/check-bag.ts'
import type { Context, ExitCode } from '../command.ts'
import { openDestination } from '../destination.ts'
import { formatBytes, formatCount, plural } from '../../model/format.ts'
import { profileNamed } from './profile-named.ts'

/** `dataferry bag check`: 0 a whole bag, 1 anything else. */
export async function checkOneBag(context: Context, place: string): Promise<ExitCode> {
  const { out, signal, text } = context
  const profile = await profileNamed(text('profile'))
  await using source = await open(context, place)
  const onFinding = (finding: BagFinding): void => tell(context, finding)
  const { wrong, open: lacking, odd, ...rest } = await checkBag(source, { profile, signal, onFinding })
  const isGood = wrong === 0 && lacking === 0
  out.record({ event: 'bag-checked', bag: place, ...rest, wrong, open: lacking, odd })
  const parts = [
    isGood ? `a valid bag (BagIt ${rest.version})` : lacking > 0 && wrong === 0 ? 'not complete' : 'not valid',
    `${plural(rest.files, 'file')} read (${formatBytes(rest.bytes)})`,
    ...(wrong > 0 ? [`${formatCount(wrong)} wrong`] : []),
    ...(lacking > 0 ? [`${formatCount(lacking)} to be fetched`] : []),
    ...(odd > 0 ? [`${formatCount(odd)} odd`] : []),
  ]
  out.paragraph(`${place}: ${parts.join(', ')}`, isGood ? 'good' : 'bad')
  if (lacking > 0 && wrong === 0) out.paragraph('`dataferry bag complete` fetches what fetch.txt names.')
  return isGood ? 0 : 1
}

async function open(context: Context, place: string): Promise<BagSource> {
  if (!/^s3:\/\//i.test(place)) return openBag(place)
  return storedBag(await openDestination(context.config, place), context.signal)
}

function tell({ out }: Context, { state, path, message }: BagFinding): void {
  out.record({ event: 'bag-finding', state, path, message })
  const where = path === undefined ? '' : `${path}  `
  out.line(`${state.padEnd(5)}  ${where}${message}`, state === 'wrong' ? 'bad' : 'warn')
}
