import type { NativeApi } from '../dataverse/native-api.ts'
import { DataferryError } from '../errors.ts'
import type { ListedFile } from '../model/listing.ts'
import { fileFilter } from '../plan/file-filter.ts'
import { joined, type Draft } from '../plan/file-item.ts'
import { entriesOf } from '../plan/intake.ts'
import { Resolver } from '../plan/resolve.ts'
import type { Context } from './command.ts'
import { datasetOf, identify } from './identify.ts'
import { inspectOnly } from './intake.ts'
import { ManifestFiles } from './manifest-files.ts'
import type { Sources } from './sources.ts'

/** A restricted file that a manifest or a dataset names, or what could not be found out about one. */
export type Subject = {
  readonly server: string
  /** Folder and name on the server, or as the manifest has them. */
  readonly path: string
} & ({ readonly file: number } | { readonly problem: string })

/** Whether a command line names many files at once. */
export function namesMany({ text }: Pick<Context, 'text'>): boolean {
  return text('manifest') !== undefined || text('dataset') !== undefined
}

/** Every restricted file of `--dataset` or of `-m`, each once. Rejects as planning does. */
export async function* subjects(context: Context, sources: Sources): AsyncGenerator<Subject> {
  const { text } = context
  if (text('manifest') !== undefined && text('dataset') !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', 'Give a manifest or a dataset, not both.')
  }
  const seen = new Set<string>()
  const found = text('dataset') === undefined ? ofManifest(context, sources) : ofDataset(context, sources)
  for await (const subject of found) {
    const key = `${subject.server} ${'file' in subject ? subject.file : subject.problem}`
    if (!seen.has(key)) yield subject
    seen.add(key)
  }
}

async function* ofDataset({ config, text, signal }: Context, sources: Sources): AsyncGenerator<Subject> {
  const given = text('dataset') ?? ''
  const named = identify(given, 'dataset', config)
  const { server } = named
  const native = sources.native(server)
  const dataset = named.target.kind === 'pid' ? named.target.pid : datasetOf(named, given)
  const version = await native.version(dataset, ':latest', signal)
  for await (const file of native.files(version.dataset, version.version, signal)) {
    if ('mislisted' in file) yield { server, path: joined(file.directory, file.label), problem: file.mislisted }
    else if (isRestricted(file)) yield { server, file: file.id, path: joined(file.directory, file.label) }
  }
}

async function* ofManifest(context: Context, sources: Sources): AsyncGenerator<Subject> {
  const { config, signal } = context
  // What stands behind the verb is none of them.
  const typed = { ...context, args: [] }
  const { manifest } = await inspectOnly(typed)
  await using manifests = await ManifestFiles.open(typed)
  const resolvers = new Map<string, Resolver>()
  const resolverOf = (server: string): Resolver => {
    const native: NativeApi = sources.native(server)
    const resolver = resolvers.get(server) ?? new Resolver(native, fileFilter({}), signal)
    resolvers.set(server, resolver)
    return resolver
  }
  for await (const placed of entriesOf((from) => after(manifests.bytes(), from), manifest, config.servers)) {
    const server = placed.entry.server ?? config.servers[0] ?? ''
    const at = { server, format: config.settings.format, ...placed }
    for await (const draft of resolverOf(server).resolve(at, UNCOUNTED)) yield* subjectsOf(draft)
  }
}

const UNCOUNTED = { dataset: () => undefined, filtered: () => undefined }

function* subjectsOf({ server, ref, wanted, withheld, asked, problem }: Draft): Generator<Subject> {
  const path = joined(wanted.directory, wanted.name)
  if (problem) yield { server, path, problem: problem.message }
  else if (asked) {
    for (const file of asked.files) {
      if (file.withheld === 'restricted') yield { server, file: file.id, path: joined(file.directory, file.label) }
    }
  } else if (ref.kind === 'file' && typeof ref.file === 'number' && withheld === 'restricted') {
    yield { server, file: ref.file, path }
  }
}

function isRestricted({ withheld }: Pick<ListedFile, 'withheld'>): boolean {
  return withheld === 'restricted'
}

/** The bytes from an offset on. */
async function* after(chunks: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Uint8Array> {
  let left = from
  for await (const chunk of chunks) {
    if (left < chunk.length) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}
