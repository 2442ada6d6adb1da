// A worker process for reclaim.test.ts: takes items, never ends them, and waits to be killed.
// Arguments: URL of Redis, prefix, server.
import { Worker } from 'bullmq'
import { Workers } from '../../src/ledger/workers.ts'
import { connect } from '../../src/queue/connection.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { itemQueue } from '../../jobs/item.ts'

const [url = '', prefix = '', server = ''] = process.argv.slice(2)
let taken = 0
const connection = await connect({ url, role: 'worker' })
const worker = new Worker(itemQueue(server, 'public'), hold, { connection, prefix, concurrency: 3, autorun: false })
const at = new Date().toISOString()
await new Workers(connection, prefix).beat({
  ...(await ownProcess()),
  id: worker.id,
  tokens: [worker.id],
  scopes: ['public'],
  since: at,
  at,
  holds: [],
  destinations: [],
})
// Whoever took an item before it registered could not be told from one on another machine.
void worker.run()

function hold(): Promise<never> {
  taken += 1
  if (taken === 3) process.send?.('full')
  return new Promise(() => undefined)
}
