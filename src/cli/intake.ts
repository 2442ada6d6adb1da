import { beginBatch, type BegunBatch } from '../batch/begin-batch.ts'
import { DataferryError } from '../errors.ts'
import { inspectManifests } from '../plan/intake.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context } from './command.ts'
import { readFilters } from './filter-flags.ts'
import { ManifestFiles } from './manifest-files.ts'

/**
 * Reads all of the manifests, refuses them with every bad line named, and finds or begins their batch at the destination.
 * Contacts no server.
 */
export async function takeIn(context: Context, sink: Sink): Promise<BegunBatch> {
  const { config, out, signal } = context
  const filters = readFilters(context)
  await using manifests = await ManifestFiles.open(context)
  const inspected = await inspectManifests(manifests.files, {
    servers: config.servers,
    ignoreColumns: context.has('ignore-columns'),
    notice: (text) => out.say(text),
    signal,
  })
  if (inspected.problemCount > 0) throw invalid(inspected.problems, inspected.problemCount)
  if (inspected.withoutServer > 0 && config.servers.length === 0) {
    throw new DataferryError(
      'CONFIG_INVALID',
      'The manifest does not say which server its entries are on: name it with --server.',
    )
  }
  const { existing, format, bundle, bundleUnverified } = config.settings
  const wish = {
    servers: [...config.servers],
    format,
    existing,
    bundle,
    bundleUnverified,
    ...(filters && { filters }),
    ...(context.has('complete') && { complete: true }),
    manifest: inspected.manifest,
  }
  return await beginBatch(sink, wish, () => manifests.bytes(), context.has('new'))
}

function invalid(problems: readonly DataferryError[], count: number): DataferryError {
  const lines = problems.map(({ message }) => message)
  if (count > problems.length) lines.push(`… and ${count - problems.length} more`)
  const message =
    count === 1 ? (lines[0] ?? '') : [`${count} lines of the manifest cannot be used:`, ...lines].join('\n')
  return new DataferryError('MANIFEST_INVALID', message)
}
