import { layoutNamed } from '../../src/proof/ocfl/layout.ts'
import { openStorageRoot } from '../../src/proof/ocfl/storage-root.ts'
import { writeVersion } from '../../src/proof/ocfl/write-version.ts'
import { held, NOW } from './held.ts'
import { ID } from './ocfl-history.ts'

// A process that adds versions to an object until it is killed; it prints a line for each.
const [, , root = '', first = '1'] = process.argv
const layout = layoutNamed('0004')
if (!layout) throw new Error('no layout')

for (let n = Number(first); ; n++) {
  const { holding, read } = held({ 'same.csv': 'one', [`new-${n}.bin`]: `${n} `.repeat(200_000) })
  const dataset = {
    pid: ID,
    server: 'https://demo.dataverse.org',
    number: `${n}.0`,
    releasedAt: '2026-01-02T03:04:05Z',
  }
  const subject = { holding: { ...holding, dataset }, metadata: new Map(), read, onFile: () => undefined }
  const options = { algorithm: 'sha512', user: { name: 'x' }, now: NOW, signal: new AbortController().signal } as const
  const opened = await openStorageRoot(root, layout, layout)
  process.stdout.write(`${n} ${await writeVersion(opened, subject, options)}\n`)
}
