import { DataferryError } from '../../errors.ts'
import type { ServerSettings } from '../../ledger/servers.ts'
import { byteCount, normalServer } from '../../config/setting-values.ts'
import type { Command, Given } from '../command.ts'
import { formatRate } from '../../model/format.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry limit` does. */
export const run: Command['run'] = async (context) => {
  const server = normalServer(context.args[0] ?? '')
  if (server === undefined)
    throw new DataferryError('ARGUMENT_INVALID', `${context.args[0] ?? ''} is not the address of a server.`)
  const settings = wanted(context)
  await using runtime = await openRuntime(context, 'producer')
  await runtime.servers.set(server, settings)
  const { concurrency, bandwidth } = await runtime.servers.get(server)
  context.out.result(
    { event: 'limit', server, concurrency: concurrency ?? null, bandwidth: bandwidth ?? null },
    `${server}: ${concurrency ?? 'default'} files at a time, ${bandwidth === undefined ? 'no rate limit' : formatRate(bandwidth)}.`,
  )
  return 0
}

function wanted({ text }: Given): ServerSettings {
  const [concurrency, rate] = [text('concurrency'), text('rate')]
  if (concurrency === undefined && rate === undefined) {
    throw new DataferryError('ARGUMENT_INVALID', 'Nothing to set: give --concurrency or --rate.')
  }
  return {
    ...(concurrency !== undefined && { concurrency: concurrency === 'none' ? null : wholeNumber(concurrency) }),
    ...(rate !== undefined && { bandwidth: rate === 'none' ? null : bytes(rate) }),
  }
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= 64) return value
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `--concurrency must be a whole number from 1 to 64 or none, not ${text}.`,
  )
}

function bytes(text: string): number {
  const parsed = byteCount.safeParse(text)
  if (parsed.success && typeof parsed.data === 'number' && parsed.data > 0) return parsed.data
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `--rate must be bytes per second such as 500K or 50M, or none, not ${text}.`,
  )
}
