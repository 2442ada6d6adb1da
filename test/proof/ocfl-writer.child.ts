import { openStorageRoot } from '../../src/proof/ocfl/storage-root.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import { addVersion } from './ocfl/add-version.ts'

// A process that adds versions to an object until it is killed; it prints a line for each.
const [, , url = '', first = '1', endpoint = ''] = process.argv
const sink = await openSink(url, { s3: { endpoint, forcePathStyle: true } })
const { signal } = new AbortController()

for (let n = Number(first); ; n++) {
  const contents = { 'same.csv': 'one', [`new-${n}.bin`]: `${n} `.repeat(200_000) }
  const opened = await openStorageRoot({ sink, folder: '', signal })
  process.stdout.write(`${n} ${await addVersion(opened, { number: `${n}.0`, contents })}\n`)
}
