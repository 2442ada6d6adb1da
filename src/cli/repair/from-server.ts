import { writeFile } from 'node:fs/promises'
import { names, readBatch, removeFolder } from '../../batch/folder.ts'
import { Outcomes } from '../../batch/outcomes.ts'
import { isReported } from '../../batch/report.ts'
import { movedHere } from '../../batch/destination.ts'
import { WantedAgain, type Omitted } from '../../batch/wanted-rows.ts'
import { ExternalSort } from '../../batch/external-sort.ts'
import { DataferryError } from '../../errors.ts'
import { mirroredItems } from '../../mirror/proof.ts'
import type { BatchId } from '../../model/batch.ts'
import { plural } from '../../model/format.ts'
import type { BegunBatch } from '../../plan/begin-batch.ts'
import { openPlan } from '../../plan/open-plan.ts'
import { failedSchema, type Failed } from '../../proof/repair/failed.ts'
import { writePendingRepair, type PendingRepair } from '../../proof/repair/records.ts'
import type { WrongFiles } from '../../proof/repair/wrong-files.ts'
import type { Records, Sink } from '../../sinks/sink.ts'
import { runBatch } from '../batch-run.ts'
import type { Context } from '../command.ts'
import { takeInFiles } from '../intake.ts'
import { ManifestFiles } from '../manifest-files.ts'
import { pasted } from '../pasted.ts'
import { replacingWrong } from '../replace-wrong.ts'
import { lazyRuntime, type LazyRuntime } from '../runtime.ts'

/** A batch that has fetched, or was parked. Disposing closes what it needed. */
export interface Fetched extends AsyncDisposable {
  readonly end: 'ended' | 'parked'
  /** Archives among what could not be asked for. */
  readonly archives: number
  failures(): AsyncIterable<Failed>
  /** Drops the batch: what its files are is said by the records that there were before. */
  drop(): Promise<void>
}

/**
 * Fetches from their server, as any batch, what is wrong; goes on with the batch of a repair that was cut short. Only bytes that
 * are exactly those that had been received are taken.
 */
export async function fromServer(
  context: Context,
  sink: Sink,
  pending: PendingRepair,
  wrong?: WrongFiles,
): Promise<Fetched> {
  const { records } = sink
  const runtime = lazyRuntime(context, 'worker')
  const omitted = new OmittedFiles()
  const close = async (): Promise<void> => {
    await omitted[Symbol.asyncDispose]()
    await runtime[Symbol.asyncDispose]()
  }
  try {
    const opened = pending.batch === undefined ? undefined : await reopened(sink, pending.batch)
    const begun = opened ?? (wrong && (await begin(context, sink, { wrong, omitted, runtime })))
    if (!begun) {
      const drop = (): Promise<void> => Promise.resolve()
      return {
        end: 'ended',
        archives: omitted.archives,
        failures: () => omitted.values(),
        drop,
        [Symbol.asyncDispose]: close,
      }
    }
    const { id, servers } = begun.batch
    await writePendingRepair(records, { ...pending, batch: id })
    const isOver = await isReported(records, id)
    const code = isOver
      ? 0
      : await runBatch(forServers(context, sink, servers), sink, begun, runtime, () => Promise.resolve(0))
    return {
      end: code === 0 ? 'ended' : 'parked',
      archives: omitted.archives,
      async *failures() {
        yield* omitted.values()
        yield* (await Outcomes.of(records, id)).failures()
      },
      drop: async () => {
        await (await runtime.get()).ledger.forget(id)
        await dropBatch(records, id)
      },
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Removes the records of a batch of repairs. */
export async function dropBatch(records: Records, id: BatchId): Promise<void> {
  await removeFolder(records, id, names.batch(id))
}

async function reopened(sink: Sink, id: BatchId): Promise<BegunBatch | undefined> {
  const there = await readBatch(sink.records, id)
  if (!there) return undefined
  const batch = await movedHere(sink, there)
  return { batch, plan: await openPlan(sink.records, batch), resumed: true }
}

interface Beginning {
  readonly wrong: WrongFiles
  /** Gets what cannot be asked for. */
  readonly omitted: OmittedFiles
  readonly runtime: LazyRuntime
}

/** @returns undefined where nothing can be asked for */
async function begin(
  context: Context,
  sink: Sink,
  { wrong, omitted, runtime }: Beginning,
): Promise<BegunBatch | undefined> {
  await using again = new WantedAgain(sink.records, mirroredItems(sink.records), 'received', omitted.add)
  for await (const one of wrong.all()) await again.add(one)
  await using manifests = await ManifestFiles.made('repair.csv', (path) => writeFile(path, again.rows()))
  if (again.count === 0) return undefined
  context.out.say(`Fetching ${plural(again.count, 'file')} …`)
  return await takeInFiles(forServers(context, sink, [...again.servers], wrong.hasUnreadable), manifests, sink, runtime)
}

/** What cannot be asked for, and why. */
class OmittedFiles implements AsyncDisposable {
  readonly #sorted = new ExternalSort<Failed>(failedSchema)
  archives = 0

  readonly add = async (path: string, why: Omitted): Promise<void> => {
    if (why === 'archive') this.archives++
    await this.#sorted.add(path, { path, message: WHY[why] })
  }

  values(): AsyncIterable<Failed> {
    return this.#sorted.values()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sorted[Symbol.asyncDispose]()
  }
}

const WHY: Readonly<Record<Omitted, string>> = {
  unknown: 'Its line of the plan is damaged, so that no server can be asked for it: use --from with another copy.',
  aside: 'No server shows it any more: use --from with another copy.',
  archive:
    'A server makes each ZIP anew, so no new one proves to be this one: use --from with another copy, or fetch a new one in ' +
    'its place.',
}

/** As if the servers that the records name had been given, where none was; what is there and differs is replaced. */
function forServers(context: Context, { url }: Sink, servers: readonly string[], hasUnreadable = false): Context {
  const [first] = servers
  const config = first === undefined ? context.config : context.config.forServer(first)
  const unnamed = servers.filter((server) => !config.servers.includes(server))
  if (unnamed.length > 0) {
    const flags = unnamed.flatMap((server) => ['--server', server])
    throw new DataferryError(
      'CONFIG_INVALID',
      `Files to repair are on ${unnamed.join(', ')}: name each with --server.`,
      {
        command: pasted(context.config, 'repair', [...context.args, ...flags]),
      },
    )
  }
  return {
    ...context,
    config: { ...config, settings: { ...config.settings, existing: replacingWrong(url, hasUnreadable), digest: [] } },
  }
}
