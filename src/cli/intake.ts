import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { beginBatch, findBegun, type BatchRequest, type BegunBatch } from '../plan/begin-batch.ts'
import { refuseLostRecords } from '../batch/destination.ts'
import { DataferryError } from '../errors.ts'
import { inspectManifests, type Inspected } from '../plan/intake.ts'
import { patiently } from '../plan/patient-catalogue.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Context } from './command.ts'
import { readFilters } from './filter-flags.ts'
import { findingsOf, tableOf, type Finding, type Search } from './find-datasets.ts'
import { lookAtServers } from './look-at-servers.ts'
import { ManifestFiles } from './manifest-files.ts'
import { openQuestionSlots } from './open-question-slots.ts'
import { batchesAt } from './recover.ts'
import type { LazyRuntime } from './runtime.ts'
import { Sources } from './sources.ts'
import { planningFor } from './supervision.ts'
import { tellWait } from './tell-notices.ts'
import { plural } from '../model/format.ts'

/**
 * Reads all of the manifests, refuses them with every bad line named, and finds or begins their batch at the destination.
 * Before a new batch each of its servers is looked at once, and asked for datasets where they are to be searched for: that
 * waits while a server is away.
 * @param runtime a Redis that knows what was brought here before, and divides the streams of servers; without one the batch is only
 * planned, and is a draft
 */
export async function takeIn(context: Context, sink: Sink, runtime?: LazyRuntime): Promise<BegunBatch> {
  await using manifests = await ManifestFiles.open(context)
  return await takeInFiles(context, manifests, sink, runtime)
}

/** The same for manifests that are open; the caller disposes them. */
export async function takeInFiles(
  context: Context,
  manifests: ManifestFiles,
  sink: Sink,
  runtime?: LazyRuntime,
): Promise<BegunBatch> {
  const { config, has, out } = context
  const passedOver = ({ message }: DataferryError): void => out.warn(`${message} That batch is left as it is.`)
  const given = await inspect(context, manifests, (text) => out.say(text))
  const refuseLost = async (): Promise<void> => {
    if (!has('new') && runtime) await refuseLostRecords(sink, () => batchesAt(runtime, sink))
  }
  await refuseLost()
  const findings = findingsOf(context, given.collections, config.servers)
  const request = requestOf(context, given.manifest, runtime === undefined)
  const asks = new Set([...(given.withoutServer > 0 ? config.servers.slice(0, 1) : []), ...given.named])
  if (findings.length === 0) {
    const bytes = (): AsyncGenerator<Uint8Array> => manifests.bytes()
    const begun = has('new') ? undefined : await findBegun(sink, request, passedOver, bytes)
    if (begun) return begun
    await lookAtServers(context, asks)
    // A server may let us wait for so long that a disk has gone meanwhile.
    await refuseLost()
    return await beginBatch(sink, request, bytes, true)
  }
  const asked = JSON.stringify([given.manifest.sha256, ...findings.map((finding) => finding.asked)])
  const recursive = has('recursive') && given.collections.length > 0
  const found = { ...request, manifest: { ...given.manifest, asked } }
  const begun = has('new') ? undefined : await findBegun(sink, found, passedOver)
  if (begun) return begun
  await lookAtServers(context, new Set([...asks, ...config.servers.slice(0, 1)]))
  await find(context, findings, manifests, runtime)
  const { manifest } = await inspect(context, manifests, () => undefined)
  await refuseLost()
  const whole = { ...request, manifest: { ...manifest, asked }, ...(recursive && { recursive }) }
  return await beginBatch(sink, whole, () => manifests.bytes(), true)
}

/** Reads the manifests of a command line as `takeIn` does, and does nothing more. */
export async function inspectOnly(context: Context): Promise<Inspected> {
  await using manifests = await ManifestFiles.open(context)
  return await inspect(context, manifests, () => undefined)
}

async function inspect(context: Context, { files }: ManifestFiles, notice: (text: string) => void): Promise<Inspected> {
  const { config, signal } = context
  const pasted = planningFor() !== undefined
  const inspected = await inspectManifests(files, {
    pasted,
    servers: config.servers,
    ignoreColumns: context.has('ignore-columns'),
    notice,
    signal,
  })
  if (inspected.problemCount > 0) throw invalid(inspected, pasted)
  if (inspected.withoutServer > 0 && config.servers.length === 0) {
    const advice = pasted ? 'choose a server, as part of an address' : 'give it with --server'
    const message = `The manifest does not say which server its entries are on: ${advice}.`
    throw new DataferryError('CONFIG_INVALID', message, pasted ? { advice: 'Nothing was planned.' } : {})
  }
  return inspected
}

function requestOf(context: Context, manifest: Inspected['manifest'], isDraft: boolean): BatchRequest {
  const { servers, settings } = context.config
  const { existing, format, bundle, bundleUnverified, digest } = settings
  const filters = readFilters(context)
  const shownBy = planningFor()
  return {
    servers: [...servers],
    format,
    existing,
    bundle,
    bundleUnverified,
    ...(digest.length > 0 && { digests: [...new Set(digest)] }),
    ...(filters && { filters }),
    ...(context.has('complete') && { complete: true }),
    ...(context.has('accept-terms') && { acceptTerms: true }),
    ...(isDraft && { draft: true }),
    ...(shownBy && { shownBy }),
    manifest,
  }
}

/** Adds a list of the datasets of each. */
async function find(
  context: Context,
  findings: readonly Finding[],
  manifests: ManifestFiles,
  runtime: LazyRuntime | undefined,
): Promise<void> {
  const { out, signal } = context
  await using slots = runtime && (await openQuestionSlots(context, await runtime.get()))
  const sources = new Sources(context)
  const onWait = tellWait(context)
  const search: Search = {
    api: (server) => sources.native(server, slots?.takeSlot),
    patiently: (server) => (call) => patiently(call, sources.patience(server, 'The search', onWait), signal),
    signal,
  }
  try {
    for (const finding of findings) {
      out.say(`Searching for datasets: ${finding.name} …`)
      const table = tableOf(finding, search, (count) => out.say(`Found ${plural(count, 'dataset')}.`))
      await manifests.add(finding.name, (path) => pipeline(table, createWriteStream(path)))
    }
  } finally {
    await sources.close()
  }
}

function invalid({ problems, problemCount: count }: Inspected, pasted: boolean): DataferryError {
  const lines = problems.map(({ message }) => message)
  if (count > problems.length) lines.push(`… and ${count - problems.length} more`)
  const message =
    count === 1 ? (lines[0] ?? '') : [`${count} lines of the manifest cannot be used:`, ...lines].join('\n')
  return new DataferryError('MANIFEST_INVALID', message, pasted ? { advice: 'Nothing was planned.' } : {})
}
