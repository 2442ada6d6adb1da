import { open, rm, type FileHandle } from 'node:fs/promises'
import { verifyDestination, type Finding, type HashPath } from '../../batch/verify-destination.ts'
import { WantedAgain } from '../../batch/wanted-rows.ts'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { Sink } from '../../sinks/sink.ts'
import { createHash } from '../../transfer/hash.ts'
import { hashOf } from '../../transfer/meter.ts'
import type { Command, Context } from '../command.ts'
import { formatBytes, formatCount, plural } from '../terminal/format.ts'
import { pasted, unnamedServers } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { DESTINATION_SETTINGS, openDestination } from '../destination.ts'

/** `dataferry verify`: is everything that was ever brought here still here, byte for byte? */
export const command: Command = {
  examples: [
    'dataferry verify ./data',
    'dataferry verify s3://bucket/prefix --quick --json',
    'dataferry verify ./data --wanted again.csv',
  ],
  about:
    'Reads every byte again and compares it with the receipts. Ends with 1 when a file is missing, changed, extra, or was ' +
    'planned and never fetched, or when records are damaged, and with 3 where there are no records. ' +
    'With --wanted, what is missing or changed becomes a manifest for `dataferry run`.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: DESTINATION_SETTINGS,
  flags: [
    { flags: '--quick', help: 'compare sizes and what the store itself recorded, without reading the files' },
    { flags: '--wanted <file>', help: 'write a manifest of what is missing or changed, to fetch it again' },
  ],
  run: async (context) => {
    const { config, args, out, signal, text } = context
    const sink = await openDestination(config, args[0])
    const wanted = await wantedFile(text('wanted'), sink)
    const counts = { ok: 0, 'size-only': 0, missing: 0, changed: 0, extra: 0, unfetched: 0, unreadable: 0 }
    let bytes = 0
    try {
      for await (const finding of verifyDestination(
        sink,
        context.has('quick') ? recorded(sink, signal) : hasher(sink, signal),
        signal,
      )) {
        counts[finding.state]++
        if ('size' in finding) bytes += finding.size
        report(context, finding)
        await wanted?.again.add(finding)
      }
    } finally {
      if (wanted) await closed(wanted)
      await sink.close()
    }
    const wrong = counts.missing + counts.changed + counts.extra + counts.unfetched + counts.unreadable
    out.record({ event: 'verified', destination: sink.url, bytes, ...counts })
    const read = context.has('quick') ? '' : ' read'
    const parts = [
      `${formatCount(counts.ok)} right (${formatBytes(bytes)}${read})`,
      ...counted(counts['size-only'], 'compared by size only'),
      ...counted(counts.missing, 'missing'),
      ...counted(counts.changed, 'changed'),
      ...counted(counts.extra, 'extra'),
      ...counted(counts.unfetched, 'never fetched'),
      ...counted(counts.unreadable, 'unreadable records'),
    ]
    out.paragraph(`${shownUrl(sink.url)}: ${parts.join(', ')}`, wrong === 0 ? 'good' : 'bad')
    if (wanted) tellWanted(context, sink, wanted)
    return wrong === 0 ? 0 : 1
  },
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${formatCount(count)} ${what}`]
}

interface Wanted {
  readonly name: string
  readonly file: FileHandle
  readonly again: WantedAgain
}

/** Opened before anything is read, so that nobody waits for hours to be told that it cannot be written. */
async function wantedFile(name: string | undefined, sink: Sink): Promise<Wanted | undefined> {
  if (name === undefined) return undefined
  try {
    const file = await open(name, 'wx')
    return { name, file, again: new WantedAgain(sink.records, (bytes) => file.appendFile(bytes)) }
  } catch (error) {
    await sink.close()
    const why = systemCode(error) === 'EEXIST' ? 'it is there already: name another file' : messageOf(error)
    throw new DataferryError('ARGUMENT_INVALID', `${name} cannot be written: ${why}.`)
  }
}

/** A manifest of nothing is no manifest. */
async function closed({ name, file, again }: Wanted): Promise<void> {
  await file.close()
  if (again.count === 0) await rm(name)
}

function tellWanted({ out, config }: Context, sink: Sink, { name, again }: Wanted): void {
  const { count } = again

  out.record({ event: 'wanted', manifest: name, items: count })
  if (again.unknown > 0) {
    const what = plural(again.unknown, 'file')
    out.warn(`${what} cannot be asked for again, as the plan is damaged: run the manifest again with --new.`)
  }
  if (count === 0) return
  out.line(`${name} asks for ${plural(count, 'file')} again. To fetch ${count === 1 ? 'it' : 'them'}:`)
  const words = [name, '--to', shownUrl(sink.url), '-e', 'overwrite-different']
  out.line(`  ${pasted(config, 'run', [...words, ...unnamedServers(config, again.servers)])}`)
}

/** What the store's own record says, e.g. the metadata of an object; nothing where there is none. */
function recorded(sink: Sink, signal: AbortSignal): HashPath {
  return async (path, algorithm) => {
    const checksum = (await sink.stat(path, 'verify-0', signal))?.proof?.checksum
    return checksum?.algorithm === algorithm ? checksum : undefined
  }
}

function hasher(sink: Sink, signal: AbortSignal): HashPath {
  return async (path, algorithm, size) => {
    const hash = createHash({ algorithm, size, saveable: false })
    try {
      return (await hashOf(await sink.read(path, signal), hash)).checksum
    } finally {
      hash.close()
    }
  }
}

function report({ out }: Context, finding: Finding): void {
  if (finding.state === 'ok') return
  out.record({ event: 'finding', ...finding })
  switch (finding.state) {
    case 'size-only':
      return
    case 'missing':
      out.line(`missing  ${finding.path}`, 'bad')
      return
    case 'changed':
      out.line(`changed  ${finding.path}  (${finding.found}, was ${finding.expected})`, 'bad')
      return
    case 'extra':
      out.line(`extra    ${finding.path}  (no receipt knows it)`, 'warn')
      return
    case 'unfetched':
      out.line(`never fetched  ${finding.path}  (${finding.why ?? 'not tried yet'})`, 'bad')
      return
    case 'unreadable':
      out.line(`unreadable  ${finding.message}`, 'bad')
  }
}
