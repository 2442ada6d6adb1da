import { DataAccessApi } from '../src/dataverse/data-access-api.ts'
import type { Item } from '../src/model/item.ts'
import { diskSink } from '../src/sinks/disk/disk-sink.ts'
import { transfer } from '../src/transfer/transfer.ts'

/**
 * Brings one file to disk with the engine alone and prints what it took, from the first request to the durable file.
 * Arguments: server, file id, size, MD5, destination folder.
 */
const [server = '', id = '', size = '', md5 = '', folder = ''] = process.argv.slice(2)
const item: Item = {
  n: 0,
  server,
  ref: { kind: 'file', file: Number(id), format: 'original' },
  path: 'file.bin',
  expect: { size: Number(size), checksum: { algorithm: 'md5', hex: md5 } },
}
await using api = new DataAccessApi({ baseUrl: server })
const sink = diskSink(folder)
const before = process.cpuUsage()
const begun = performance.now()
const run = { key: 'bench-0', signal: new AbortController().signal, count: true }
const receipt = await transfer(item, { open: api.open, sink }, run)
const seconds = (performance.now() - begun) / 1000
const { user, system } = process.cpuUsage(before)
await sink.close()
if (receipt.verified !== 'checksum') throw new Error(`The file was verified by ${receipt.verified}.`)
process.stdout.write(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 }))
