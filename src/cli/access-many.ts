import { mapInOrder } from '../async/map-in-order.ts'
import type { AccessRequest } from '../dataverse/access-requests.ts'
import type { DataAccessApi } from '../dataverse/data-access-api.ts'
import { DataferryError } from '../errors.ts'
import { requireToken } from './access-token.ts'
import { subjects, type Subject } from './access-subjects.ts'
import { responder } from './answers.ts'
import type { Context, ExitCode } from './command.ts'
import { Sources } from './sources.ts'
import { formatCount, plural } from '../model/format.ts'
import type { Tone } from './terminal/output.ts'

/** What became of a file, or of one user's request for it. */
interface Ended {
  readonly outcome:
    'requestable' | 'requested' | 'pending' | 'available' | 'granted' | 'rejected' | 'created' | 'failed'
  /** What the server said. */
  readonly message: string
  readonly request?: AccessRequest
}

/** Does one thing for one file. */
type Work = (api: DataAccessApi, file: number, server: string) => Promise<readonly Ended[]>

/** Files worked on at a time: a server is asked as a person would, only faster. */
const AT_A_TIME = 4

const TONES: Readonly<Partial<Record<Ended['outcome'], Tone>>> = { failed: 'bad', requested: 'good', granted: 'good' }

/**
 * What `dataferry access` does for all restricted files of a manifest or a dataset. @returns 1 when something failed
 */
export async function accessMany(context: Context, word: string): Promise<ExitCode> {
  const { out, signal } = context
  const work = workOf(context, word)
  const sources = new Sources(context)
  const counts = new Map<string, number>()
  const rows: (readonly [Subject, Ended])[] = []
  let files = 0
  const one = async (subject: Subject): Promise<readonly (readonly [Subject, Ended])[]> => {
    signal.throwIfAborted()
    if (!('file' in subject)) return [[subject, { outcome: 'failed', message: subject.problem }]]
    requireToken(context.config, subject.server)
    const ended = await unlessRefused(() => work(sources.access(subject.server), subject.file, subject.server))
    return ended.map((end) => [subject, end] as const)
  }
  try {
    const all = mapInOrder(subjects(context, sources), { concurrency: AT_A_TIME, ahead: 4 * AT_A_TIME }, one)
    for await (const some of all) {
      files++
      for (const [subject, end] of some) {
        counts.set(end.outcome, (counts.get(end.outcome) ?? 0) + 1)
        out.record({ event: word === 'list' ? 'access-request' : 'access', action: word, ...recordOf(subject, end) })
        if (!out.json) rows.push([subject, end])
      }
    }
  } finally {
    await sources.close()
  }
  if (rows.length > 0) printRows(context, rows)
  const told = [...counts].map(([outcome, count]) => `${formatCount(count)} ${SAID[outcome] ?? outcome}`)
  out.say(`${plural(files, 'restricted file')}: ${told.length === 0 ? 'nothing to do' : told.join(', ')}.`)
  return counts.has('failed') ? 1 : 0
}

/** Outcomes for people, where they are no word of their own. */
const SAID: Readonly<Record<string, string>> = {
  requestable: 'would be requested',
  created: 'pending',
  pending: 'pending already',
  available: 'available already',
}

function workOf({ config, has, signal }: Context, word: string): Work {
  const dryRun = has('dry-run')
  switch (word) {
    case 'request':
      return async (api, file, server) => {
        if (dryRun) return [{ outcome: 'requestable', message: '' }]
        const { message } = await api.requestAccess(file, { guestbookResponse: responder(config, server), signal })
        return [{ outcome: 'requested', message }]
      }
    case 'list':
      return async (api, file) => {
        const found = await api.listFileAccessRequests(file, { includeHistory: has('history'), signal })
        return found.map((request) => ({ outcome: stateOf(request), message: '', request }))
      }
    case 'grant':
    case 'reject':
      if (!has('all-pending')) {
        throw new DataferryError(
          'ARGUMENT_INVALID',
          `access ${word} for many files decides on every request: say --all-pending.`,
        )
      }
      return async (api, file) => {
        const ended: Ended[] = []
        for (const request of await api.listFileAccessRequests(file, { signal })) {
          if (stateOf(request) !== 'created') continue
          if (dryRun) ended.push({ outcome: 'created', message: '', request })
          else ended.push(...(await unlessRefused(() => decide(api, word, file, request, signal))))
        }
        return ended
      }
    default:
      throw new DataferryError(
        'ARGUMENT_INVALID',
        `access ${word} takes one file: request, list, grant and reject take many.`,
      )
  }
}

async function decide(
  api: DataAccessApi,
  word: 'grant' | 'reject',
  file: number,
  request: AccessRequest,
  signal: AbortSignal,
): Promise<readonly Ended[]> {
  const { identifier } = request
  const said =
    word === 'grant'
      ? api.grantFileAccess(file, identifier, { signal })
      : api.rejectFileAccess(file, identifier, { signal })
  const { message } = await said
  return [{ outcome: word === 'grant' ? 'granted' : 'rejected', message, request }]
}

function stateOf({ requestState }: AccessRequest): 'created' | 'granted' | 'rejected' {
  return requestState === 'granted' || requestState === 'rejected' ? requestState : 'created'
}

/** A refusal concerns one file. That a request is there already, or is not needed, is none. */
async function unlessRefused(work: () => Promise<readonly Ended[]>): Promise<readonly Ended[]> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
    const { message } = error
    // The server's words (Access, requestFileAccess): every refusal has the same status.
    if (/request .{0,80}already exists/i.test(message)) return [{ outcome: 'pending', message }]
    if (/already be available to you/i.test(message)) return [{ outcome: 'available', message }]
    return [{ outcome: 'failed', message }]
  }
}

function recordOf(subject: Subject, { outcome, message, request }: Ended): Record<string, unknown> {
  return {
    server: subject.server,
    ...('file' in subject && { file: subject.file }),
    path: subject.path,
    ...request,
    ...(request && { user: request.identifier }),
    outcome,
    ...(message !== '' && { message }),
  }
}

function printRows({ out }: Context, rows: readonly (readonly [Subject, Ended])[]): void {
  const withUsers = rows.some(([, { request }]) => request)
  const users = withUsers ? [{ title: 'USER' }] : []
  out.table(
    [{ title: 'FILE' }, { title: 'PATH' }, ...users, { title: 'RESULT' }],
    rows.map(([subject, { outcome, message, request }]) => [
      { text: 'file' in subject ? String(subject.file) : '-' },
      { text: subject.path },
      ...(withUsers ? [{ text: request?.identifier ?? '' }] : []),
      { text: outcome === 'failed' ? message : (SAID[outcome] ?? outcome), tone: TONES[outcome] ?? 'plain' },
    ]),
  )
}
