import { isWritten } from '../../src/proof/pack/is-written.ts'
import { tidy, writePack } from '../../src/proof/pack/write-pack.ts'
import type { Serialization } from '../../src/proof/pack/pack-entry.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import { bagOf, packTarget } from './held.ts'

// A process that makes a bag as `dataferry bag` does, or is killed; it prints a line when it begins, and one when the bag is there.
const [, , url = '', form = 'folder', endpoint = ''] = process.argv
const serialization = ((forms: readonly Serialization[]) => forms.find((one) => one === form))(['folder', 'zip', 'tar'])
const sink = await openSink(url, { s3: { endpoint, forcePathStyle: true } })
const target = packTarget(sink, { ...(serialization && { serialization }) })
const small = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`small/${n}.csv`, `${n}\n`]))
const contents = { ...small, 'large.bin': 'x'.repeat(12 << 20), 'larger.bin': 'y'.repeat(20 << 20) }
process.stdout.write('begins\n')
if (!(await isWritten('bag', target))) await writePack('bag', bagOf(contents, target), target)
await tidy(sink)
process.stdout.write('whole\n')
