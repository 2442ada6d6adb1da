import { DataferryError } from '../../errors.ts'
import { checkRecordName } from '../names.ts'
import type { RecordLog, Records } from '../sink.ts'

export interface MemoryRecord {
  bytes: Buffer
}

/** Records in a map, by name. */
export function memoryRecords(records: Map<string, MemoryRecord>): Records {
  const openLogs = new Set<string>()
  const named = (name: string): MemoryRecord | undefined => {
    checkRecordName(name)
    return records.get(name)
  }
  return {
    async read(name) {
      const record = named(name)
      return Promise.resolve(record && Buffer.from(record.bytes))
    },
    async write(name, content) {
      checkRecordName(name)
      records.set(name, { bytes: await collect(content) })
    },
    create(name, content) {
      if (named(name)) return Promise.resolve(false)
      records.set(name, { bytes: Buffer.from(content) })
      return Promise.resolve(true)
    },
    async list(folder) {
      checkRecordName(folder)
      return Promise.resolve([...records.keys()].filter((name) => name.startsWith(`${folder}/`)).sort())
    },
    async folders(below) {
      const prefix = below === undefined ? '' : `${below}/`
      const folders = [...records.keys()]
        .filter((name) => name.startsWith(prefix) && name.slice(prefix.length).includes('/'))
        .map((name) => name.slice(prefix.length).split('/', 1).join(''))
      return Promise.resolve([...new Set(folders)].sort())
    },
    async remove(name) {
      if (named(name)) records.delete(name)
      return Promise.resolve()
    },
    async moveFolder(from, to) {
      checkRecordName(from)
      checkRecordName(to)
      for (const [name, record] of [...records]) {
        if (!name.startsWith(`${from}/`)) continue
        records.set(to + name.slice(from.length), record)
        records.delete(name)
      }
      return Promise.resolve()
    },
    async appendTo(name, length) {
      const record = named(name) ?? { bytes: Buffer.alloc(0) }
      if (openLogs.has(name)) throw new DataferryError('SINK_BUSY', `The log ${name} is already open for writing.`)
      if (length !== undefined && record.bytes.length < length) {
        throw new DataferryError(
          'SINK_FAILED',
          `The log ${name} has ${record.bytes.length} bytes but ${length} were recorded.`,
        )
      }
      record.bytes = record.bytes.subarray(0, length)
      records.set(name, record)
      openLogs.add(name)
      return Promise.resolve(memoryLog(name, record, () => openLogs.delete(name)))
    },
    async readLog(name, from, to) {
      return Promise.resolve(Buffer.from(named(name)?.bytes.subarray(from, Math.max(from, to)) ?? []))
    },
    async *streamLog(name, from) {
      const bytes = await Promise.resolve(named(name)?.bytes.subarray(from))
      if (bytes && bytes.length > 0) yield Buffer.from(bytes)
    },
  }
}

function memoryLog(name: string, record: MemoryRecord, onClose: () => void): RecordLog {
  let open = true
  return {
    get length() {
      return record.bytes.length
    },
    async append(data) {
      if (!open) throw new DataferryError('SINK_FAILED', `The log ${name} is closed.`)
      const bytes = Buffer.from(data)
      await Promise.resolve()
      record.bytes = Buffer.concat([record.bytes, bytes])
    },
    async close() {
      if (!open) return
      open = false
      await Promise.resolve()
      onClose()
    },
  }
}

async function collect(content: AsyncIterable<Uint8Array> | Uint8Array | string): Promise<Buffer> {
  if (typeof content === 'string' || content instanceof Uint8Array) return Buffer.from(content)
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
