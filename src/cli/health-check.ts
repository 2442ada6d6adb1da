import { hostname } from 'node:os'
import { load } from '../config/config.ts'
import { Links } from '../dashboard/links.ts'
import { messageOf } from '../errors.ts'
import { visibleText } from '../model/visible-text.ts'
import { Workers } from '../ledger/workers.ts'
import { certificates } from './runtime.ts'
import { connect } from '../queue/connection.ts'
import { ownProcess } from '../process/process-identity.ts'

/**
 * The program behind the image's HEALTHCHECK: exit 0 when Redis answers and a worker of this container, or of this machine
 * outside containers, has recently reported that it is alive, or else a dashboard has; else 1, and standard output says why. It has the
 * worker's environment, makes one connection and reads one small record for each worker process.
 */

/** Workers report every two seconds. One that is frozen, or whose event loop is blocked for this long, is unhealthy. */
const SILENT_MS = 15_000

async function check(): Promise<string> {
  const config = load()
  const { redis, prefix } = config.settings
  if (!redis) throw new Error('REDIS_URL is not set')
  const client = await connect({ url: redis.reveal(), role: 'producer', ...certificates(config) })
  try {
    const { space } = await ownProcess()
    const records = (await new Workers(client, prefix).list()).filter((record) => record.space === space)
    if (records.length === 0) {
      // `serve` without servers has none.
      const boards = await new Links(client, prefix).places()
      if (boards.some(({ host }) => host === hostname())) return 'Redis answers and the dashboard is alive'
      throw new Error('Redis answers, but knows no worker of this container')
    }
    const silentMs = Date.now() - Math.max(...records.map(({ at }) => Date.parse(at)))
    if (silentMs > SILENT_MS) throw new Error(`the worker has not reported for ${Math.round(silentMs / 1000)} s`)
    return 'Redis answers and the worker is alive'
  } finally {
    client.disconnect()
  }
}

const [code, text] = await check().then(
  (well): [number, string] => [0, well],
  (error: unknown): [number, string] => [1, messageOf(error)],
)
process.stdout.write(`${visibleText(text)}\n`, () => process.exit(code))
