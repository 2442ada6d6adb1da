import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openBatch, type OpenedBatch } from '../batch/open-batch.ts'
import { DataferryError } from '../errors.ts'
import { looksLikeReference } from '../manifest/reference.ts'
import { inspectManifest } from '../plan/intake.ts'
import { translated } from '../sinks/disk/errors.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context } from './command.ts'

/** A manifest as the user gave it, in a file that can be read more than once. Disposing removes a copy made for that. */
interface ManifestFile extends AsyncDisposable {
  readonly path: string
  /** For people: the path as typed, `-`, or what was given in its place. */
  readonly name: string
}

/**
 * The manifest that a command line names: `-m FILE`, an operand, or `-` for standard input; several operands, or one
 * that is no file but an id, PID or address, are themselves the lines of a list.
 */
async function manifestFile({ args, text }: Pick<Context, 'args' | 'text'>): Promise<ManifestFile> {
  const given = [...(text('manifest') === undefined ? [] : [text('manifest') ?? '']), ...args]
  const [first] = given
  if (first === undefined) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      'No manifest is named: give a file, - for standard input, or ids and PIDs.',
    )
  }
  if (first === '-' && given.length === 1)
    return copied('-', async (path) => pipeline(process.stdin, createWriteStream(path)))
  if (given.length === 1 && (await isFile(first)))
    return { path: first, name: first, [Symbol.asyncDispose]: async () => {} }
  if (given.every(looksLikeReference)) {
    return copied('command line', (path) => writeFile(path, `${given.join('\n')}\n`))
  }
  const missing = given.find((one) => !looksLikeReference(one)) ?? first
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `${missing} is neither a file nor an id, PID or address: check the spelling.`,
  )
}

async function copied(name: string, write: (path: string) => Promise<unknown>): Promise<ManifestFile> {
  const doing = `copy the manifest to the temporary folder ${tmpdir()}`
  const folder = await translated(doing, () => mkdtemp(join(tmpdir(), 'dataferry-')))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  const path = join(folder, 'manifest')
  try {
    await translated(doing, () => write(path))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, name, [Symbol.asyncDispose]: remove }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => !stats.isDirectory(),
    () => false,
  )
}

/**
 * Reads the whole manifest, refuses it with every bad line named, and finds or begins its batch at the destination.
 * Contacts no server.
 */
export async function takeIn(context: Context, sink: Sink): Promise<OpenedBatch> {
  const { config, out, signal } = context
  await using manifest = await manifestFile(context)
  const { path, name } = manifest
  const notice = (text: string): void => out.say(text)
  const inspected = await inspectManifest(path, { name, servers: config.servers, notice, signal })
  if (inspected.problemCount > 0) throw invalid(inspected.problems, inspected.problemCount)
  if (inspected.withoutServer > 0 && config.servers.length === 0) {
    throw new DataferryError(
      'CONFIG_INVALID',
      'The manifest does not say which server its entries are on: name it with --server.',
    )
  }
  const { existing, format, bundle, bundleUnverified } = config.settings
  const { format: kind, sha256, entries } = inspected
  const wish = {
    servers: [...config.servers],
    format,
    existing,
    bundle,
    bundleUnverified,
    ...(context.has('complete') && { complete: true }),
    manifest: { name, format: kind, sha256, entries },
  }
  return await openBatch(sink, wish, () => createReadStream(path), context.has('new'))
}

function invalid(problems: readonly DataferryError[], count: number): DataferryError {
  const lines = problems.map(({ message }) => message)
  if (count > problems.length) lines.push(`… and ${count - problems.length} more`)
  const message =
    count === 1 ? (lines[0] ?? '') : [`${count} lines of the manifest cannot be used:`, ...lines].join('\n')
  return new DataferryError('MANIFEST_INVALID', message)
}
