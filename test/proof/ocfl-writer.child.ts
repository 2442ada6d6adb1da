import { openStorageRoot } from '../../src/proof/ocfl/storage-root.ts'
import { writeVersion } from '../../src/proof/ocfl/write-version.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import { held, NOW } from './held.ts'
import { ID } from './ocfl-history.ts'

// A process that adds versions to an object until it is killed; it prints a line for each.
const [, , url = '', first = '1', endpoint = ''] = process.argv
const sink = await openSink(url, { s3: { endpoint, forcePathStyle: true } })
const { signal } = new AbortController()

for (let n = Number(first); ; n++) {
  const { holding, read } = held({ 'same.csv': 'one', [`new-${n}.bin`]: `${n} `.repeat(200_000) })
  const dataset = {
    pid: ID,
    server: 'https://demo.dataverse.org',
    number: `${n}.0`,
    releasedAt: '2026-01-02T03:04:05Z',
  }
  const subject = { holding: { ...holding, dataset }, metadata: new Map(), read, onFile: () => undefined }
  const options = { algorithm: 'sha512', user: { name: 'x' }, now: NOW, signal } as const
  const opened = await openStorageRoot({ sink, folder: '', signal })
  process.stdout.write(`${n} ${await writeVersion(opened, subject, options)}\n`)
}
