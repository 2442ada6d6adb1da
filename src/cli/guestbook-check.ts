import { respond, type Account, type Lack } from '../access/respond.ts'
import { ItemsReader } from '../batch/items-file.ts'
import { tokenFor, type LoadedConfig } from '../config/config.ts'
import type { DataAccessApi } from '../dataverse/data-access-api.ts'
import type { NativeApi } from '../dataverse/native-api.ts'
import { DataferryError, messageOf } from '../errors.ts'
import type { Batch, PlanState } from '../model/batch.ts'
import type { Guestbook } from '../model/guestbook.ts'
import type { Item, Ref } from '../model/item.ts'
import type { Wait } from '../model/notice.ts'
import { patiently } from '../plan/patient-catalogue.ts'
import type { Sink } from '../sinks/sink.ts'
import { answersOf, guestbookName } from './answers.ts'
import type { Context } from './command.ts'
import { pasted, unnamedServers } from './pasted.ts'
import type { Sources } from './sources.ts'
import type { Output } from './terminal/output.ts'
import { tellWait } from './tell-notices.ts'

/** A guestbook that a batch meets and whose answers are missing or wrong. */
interface Unanswered {
  readonly server: string
  readonly guestbook: Guestbook
  /** A dataset that it is for. */
  readonly dataset: string
  readonly lacks: readonly Lack[]
}

interface CheckOptions {
  readonly sources: Sources
  readonly signal?: AbortSignal
  readonly onWait?: (wait: Wait | undefined) => void
}

/**
 * Checks the answers to all guestbooks of a planned batch, and shows what is missing in a table. Where a file of answers is given,
 * it rejects with `CONFIG_INVALID`: what would be refused in the middle of a night is seen before anything is fetched. Without one
 * the files behind a guestbook fail, and the others are fetched.
 */
export async function checkAnswers(
  context: Context,
  sink: Sink,
  batch: Batch,
  plan: PlanState,
  options: CheckOptions,
): Promise<void> {
  const { out, config, log, signal } = context
  const isGiven = config.settings.guestbook !== undefined
  const unanswered = await findUnanswered(context, sink, batch, plan, options).catch((error: unknown) => {
    signal.throwIfAborted()
    if (isGiven) throw error
    // A hint that cannot be given now is given by each file that fails.
    log.warn({ problem: messageOf(error) }, 'guestbooks could not be checked')
    return []
  })
  if (unanswered.length === 0) return
  printTable(out, unanswered)
  const command = showLine(config, unanswered)
  if (isGiven) throw refusal(config.settings.guestbook ?? '', unanswered.length, command)
  out.warn(
    `${unanswered.length === 1 ? 'A guestbook' : `${unanswered.length} guestbooks`} must be answered before the files behind ` +
      'can be fetched: write the answers to a file, and give it with --guestbook. The questions are printed by:',
  )
  out.command(command)
}

function refusal(path: string, count: number, command: string): DataferryError {
  const what = count === 1 ? 'a guestbook' : `${count} guestbooks`
  const message = `${path} does not answer ${what} of this batch, as the table shows. Nothing is fetched until it does.`
  const advice = 'Complete it, then give the same command again. The questions are printed by:'
  return new DataferryError('CONFIG_INVALID', message, { advice, command })
}

async function findUnanswered(
  context: Context,
  sink: Sink,
  batch: Batch,
  { guestbooks = [] }: PlanState,
  { sources, signal = context.signal, onWait = tellWait(context) }: CheckOptions,
): Promise<readonly Unanswered[]> {
  const items = new ItemsReader(sink.records, batch.id)
  const answers = await answersOf(context.config)
  const found: Unanswered[] = []
  for (const { server, id, n } of guestbooks) {
    const check = async (): Promise<Unanswered | undefined> => {
      const api = sources.access(server, 0)
      const guestbook = await api.guestbook(id, { signal })
      if (!guestbook?.enabled) return undefined
      const account =
        tokenFor(context.config, server) === undefined ? 'guest' : await accountOf(sources.native(server), signal)
      const { lacks } = respond(answers, guestbook, server, account)
      const item = await items.item(n)
      if (lacks.length === 0 || !(await isDemanded(api, item, batch.access?.request === true, signal))) return undefined
      return { server, guestbook, dataset: item.origin?.dataset ?? '', lacks }
    }
    const one = await patiently(check, sources.patience(server, 'The check of guestbooks', onWait), signal)
    if (one) found.push(one)
  }
  return found
}

/** What the server fills in for the user of the token. */
async function accountOf(native: NativeApi, signal: AbortSignal): Promise<Account> {
  const user = await native.tokenUser(signal)
  if (!user) return 'guest'
  const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
  return {
    name: text(user.displayName),
    email: text(user.email),
    institution: text(user['affiliation']),
    position: text(user['position']),
  }
}

/**
 * Whether the server wants an answer for a file: not from its editors, and not where it is asked with a request for access.
 * Only a request shows it. Of a file that is withheld it shows nothing.
 * @param isRequested access is requested to what is withheld: then the guestbook is answered with that, or after it
 */
async function isDemanded(
  api: DataAccessApi,
  { ref }: Item,
  isRequested: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const file = fileIn(ref)
  // A ZIP would be made to find out.
  if (!file) return true
  try {
    const { body } = await api.open(file, 0, { signal, count: false, to: 1 })
    // Only a body that was read from can be left.
    const chunks = body[Symbol.asyncIterator]()
    await chunks.next()
    await chunks.return?.()
    return false
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
    return error.code === 'SOURCE_GUESTBOOK' || (isRequested && error.code === 'SOURCE_DENIED')
  }
}

function fileIn(ref: Ref): Ref | undefined {
  if (ref.kind === 'file') return ref
  const file = ref.kind === 'zip' ? ref.files[0] : ref.kind === 'all-forms' ? ref.file : undefined
  return file === undefined ? undefined : { kind: 'file', file, format: 'archival' }
}

function printTable(out: Output, unanswered: readonly Unanswered[]): void {
  for (const { server, guestbook, dataset, lacks } of unanswered) {
    out.record({ event: 'unanswered-guestbook', server, id: guestbook.id, name: guestbook.name, dataset, lacks })
  }
  out.table(
    [{ title: 'DATASET' }, { title: 'GUESTBOOK' }, { title: 'ENTRY' }, { title: 'PROBLEM' }],
    unanswered.flatMap(({ guestbook, dataset, lacks }) =>
      lacks.map(({ entry, problem }, at) => [
        { text: at === 0 ? dataset : '' },
        { text: at === 0 ? guestbookName(guestbook).replace('guestbook ', '') : '' },
        { text: entry },
        { text: problem, tone: 'bad' as const },
      ]),
    ),
  )
}

/** The command that prints the questions of the first one. */
function showLine(config: LoadedConfig, [first]: readonly Unanswered[]): string {
  const { dataset = '', server = '' } = first ?? {}
  // Into no file: somebody's answers may be there.
  return pasted(config, 'guestbook', ['show', dataset, ...unnamedServers(config, [server])])
}
