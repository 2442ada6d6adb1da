import { NativeApi } from '../../../src/dataverse/native-api.ts'
import { isErrorCode } from '../../../src/errors.ts'
import type { Entry } from '../../../src/model/entry.ts'
import { checkPath } from '../../../src/sinks/names.ts'
import { scriptedServer, type Seen } from '../../../test/dataverse/scripted-server.ts'
import { planAll } from '../../../test/plan/planning.ts'
import type { Dice } from '../../dice.ts'
import { cost, withinCost } from '../cost.ts'
import { answer, contents, listedFile, many, searchItem, version } from '../forms.ts'
import { mutatedJson, mutatedText } from '../mutate.ts'
import { must, resultOrCode } from '../promises.ts'
import type { FuzzTarget } from '../target.ts'

/** What a server says when it is asked what there is, changed in structure, text and status. */
export const target: FuzzTarget = {
  about:
    'Asking a server what it has ends after few requests, with a list or one coded sentence; what is planned of it can be ' +
    'read again, has sizes that can be counted and safe paths, and names no file twice.',
  async once(dice, note) {
    const pages = new Map<string, Page>()
    const pageAt = (kind: string): Page => {
      const known = pages.get(kind) ?? madePage(kind, dice)
      pages.set(kind, known)
      note(JSON.stringify([...pages]))
      return known
    }
    await using server = await scriptedServer((request, response) => {
      const { status, type, text } = pageAt(kindOf(request))
      response.writeHead(status, { 'content-type': type })
      response.end(text)
    })
    const api = new NativeApi({ baseUrl: server.url, retries: 0, throttleMs: 1, timeouts: { headersMs: 20_000 } })
    const begun = cost()
    try {
      const signal = AbortSignal.timeout(50_000)
      await resultOrCode(() => dice.pick(QUESTIONS)(api, dice, signal), CODES)
    } finally {
      await api.close()
    }
    must(server.seen.length <= MOST_REQUESTS, `${server.seen.length} requests`)
    withinCost(begun, [...pages.values()].reduce((sum, { text }) => sum + text.length, 20_000) * MOST_REQUESTS)
  },
}

const CODES = /^(?:SOURCE_|TOKEN_REJECTED|SHORT_BODY)/
const MOST_REQUESTS = 30

interface Page {
  readonly status: number
  readonly type: string
  readonly text: string
}

type Question = (api: NativeApi, dice: Dice, signal: AbortSignal) => Promise<void>

const QUESTIONS: readonly Question[] = [
  planned,
  planned,
  planned,
  planned,
  async (api, dice, signal) => {
    const pids: string[] = []
    for await (const page of api.search({ collection: 'x' }, signal)) pids.push(...page)
    must(new Set(pids).size <= pids.length, 'no list')
  },
  async (api, _, signal) => {
    for await (const { pid } of api.walk('x', signal)) must(pid.includes(':'), `no PID: ${pid}`)
  },
  async (api, _, signal) => {
    const limit = await api.zipDownloadLimit(signal)
    must(limit === undefined || !Number.isNaN(limit), 'a limit that is none')
  },
  async (api, _, signal) => {
    await api.tellsCase(signal)
  },
]

const DATASET = 'doi:10.5072/FK2/ABC'
const TARGETS: readonly Entry['target'][] = [
  { kind: 'dataset', dataset: DATASET },
  { kind: 'dataset', dataset: DATASET, version: '1.0', folder: 'raw' },
  { kind: 'file', file: 7 },
  { kind: 'file', file: 8 },
  { kind: 'pid', pid: DATASET },
  { kind: 'zip', files: [7, 8] },
  { kind: 'dataset-zip', dataset: DATASET },
  { kind: 'bundle', file: 7 },
]

/** Plans what a few lines ask for, and reads the plan as the next process does. */
async function planned(api: NativeApi, dice: Dice, signal: AbortSignal): Promise<void> {
  const entries = Array.from({ length: dice.between(1, 3) }, () => ({ target: dice.pick(TARGETS) }))
  const { items, state } = await planAll(entries, api, { signal })
  must(items.length === state.items, 'lines that do not count')
  must(Number.isSafeInteger(state.totals.size) && state.totals.size >= 0, `a sum of ${state.totals.size}`)
  const paths = new Set(items.map(({ path }) => path.toLowerCase()))
  must(paths.size === items.length, 'a path twice')
  for (const { path, problem } of items) {
    checkPath(path)
    must(problem === undefined || isErrorCode(problem.code), `the code ${problem?.code}`)
    must(problem?.code !== 'RECORD_UNREADABLE', 'a line that its own reader refuses')
  }
}

function kindOf({ url }: Seen): string {
  if (/\/versions\/[^/]+\/files/.test(url)) return 'files'
  if (url.includes('/versions/')) return 'version'
  if (/\/api\/(?:files|access)/.test(url)) return 'file'
  if (url.includes('/contents')) return 'contents'
  return url.includes('/search') ? 'search' : 'info'
}

const NUMBERS = [0, -1, 1, 12, 2 ** 53, 1e9, 1e308, 0.5]

/** A listing that names what no server should. */
function hostileFile(dice: Dice): object {
  return {
    ...listedFile(dice),
    label: dice.pick(['a.txt', '__proto__', 'constructor', '../../x', '', '.dataferry', '=cmd']),
    directoryLabel: dice.pick(['', 'raw', '__proto__', '/', '..', 'a/'.repeat(2_000)]),
    dataFile: {
      id: dice.pick([...NUMBERS, dice.between(1, 20)]),
      filename: 'a.tab',
      filesize: dice.pick(NUMBERS),
      tabularData: dice.number() < 0.5,
      originalFileFormat: dice.pick(['text/csv', 'constructor', '__proto__', '']),
      originalFileSize: dice.pick(NUMBERS),
      checksum: dice.pick([{ type: 'MD5', value: 'a'.repeat(32) }, { type: 'constructor', value: 'x' }, null]),
    },
  }
}

const file = (dice: Dice): object => (dice.number() < 0.5 ? listedFile(dice) : hostileFile(dice))

const FORMS: Readonly<Record<string, (dice: Dice) => unknown>> = {
  files: (dice) => {
    const data = many(dice, file)
    return { status: 'OK', totalCount: dice.pick([data.length, data.length, ...NUMBERS]), data }
  },
  version: (dice) => answer(version(dice)),
  file: (dice) => answer({ ...file(dice), datasetVersion: version(dice) }),
  contents: (dice) => answer(many(dice, contents)),
  search: (dice) => {
    const items = many(dice, searchItem)
    return answer({
      q: '*',
      total_count: dice.pick([items.length, ...NUMBERS]),
      items,
      count_in_response: items.length,
    })
  },
  info: (dice) => answer(dice.pick<unknown>([{ version: '6.2' }, { message: '1000' }, 1000, { version: 'x' }])),
}

function madePage(kind: string, dice: Dice): Page {
  const made = FORMS[kind]?.(dice)
  const value = dice.number() < 0.5 ? made : mutatedJson(made, dice)
  const text = JSON.stringify(value)
  return {
    status: dice.number() < 0.9 ? 200 : dice.pick([202, 204, 400, 401, 403, 404, 429, 500, 503]),
    type: dice.pick(['application/json', 'application/json', 'text/html']),
    text: dice.number() < 0.6 ? text : mutatedText(text, dice),
  }
}
