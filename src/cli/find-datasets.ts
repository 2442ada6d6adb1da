import type { NativeApi } from '../dataverse/native-api.ts'
import type { Patiently } from '../dataverse/retry.ts'
import { DataferryError } from '../errors.ts'
import { formatRecord } from '../manifest/record.ts'
import type { CollectionEntry } from '../plan/intake.ts'
import type { Given } from './command.ts'

/** A search for datasets, whose result is then a manifest like any other. */
export interface Finding {
  /** For people: `collection climate`. */
  readonly name: string
  /** Identifies the batch, since what is found may change from day to day. */
  readonly asked: readonly (string | number)[]
  /** PIDs, and the server of each. Duplicates do no harm. */
  readonly find: (search: Search) => AsyncIterable<FoundDataset>
}

/** How servers are searched. */
export interface Search {
  readonly api: (server: string) => Pick<NativeApi, 'search' | 'walk'>
  /** Asks a server again while it is worth waiting for. */
  readonly patiently: (server: string) => Patiently
  readonly signal: AbortSignal
}

interface FoundDataset {
  readonly dataset: string
  readonly server: string
}

/** Whether a command line names datasets by flags, so that it needs no manifest. */
export function namesDatasets({ text, texts }: Pick<Given, 'text' | 'texts'>): boolean {
  return text('query') !== undefined || texts('collection').length > 0
}

/**
 * What a command line asks to be searched. Throws `ARGUMENT_INVALID`, and `CONFIG_INVALID` where no server is named.
 * @param collections those that the manifest names
 */
export function findingsOf(
  { text, texts, has }: Pick<Given, 'text' | 'texts' | 'has'>,
  collections: readonly CollectionEntry[],
  servers: readonly string[],
): readonly Finding[] {
  const query = text('query')
  const aliases = [...new Set(texts('collection'))]
  if (query?.trim() === '') throw refusal('--query is empty: give search words, or leave it out.')
  const wrong = aliases.find((alias) => !/^[\w-]+$/.test(alias))
  if (wrong !== undefined)
    throw refusal(`--collection ${wrong} is not an alias: give the last part of the collection’s URL.`)
  const scopes = aliases.length > 0 ? aliases : query === undefined ? [] : [undefined]
  const within = has('recursive') ? collections : []
  if (scopes.length + within.length === 0) return []
  const [server] = servers
  if (server === undefined) throw new DataferryError('CONFIG_INVALID', 'Name the server to search with --server.')
  const searches = scopes.map((collection) => search(server, collection, query))
  return within.length === 0 ? searches : [...searches, walk(server, within)]
}

function search(server: string, collection: string | undefined, query: string | undefined): Finding {
  const names = [
    query === undefined ? [] : `search ${query}`,
    collection === undefined ? [] : `collection ${collection}`,
  ]
  return {
    name: names.flat().join(' in '),
    asked: ['search', server, collection ?? '', query ?? ''],
    async *find({ api, patiently, signal }) {
      const scope = { ...(collection !== undefined && { collection }), ...(query !== undefined && { query }) }
      for await (const page of api(server).search(scope, signal, patiently(server))) {
        for (const dataset of page) yield { dataset, server }
      }
    },
  }
}

function walk(defaultServer: string, collections: readonly CollectionEntry[]): Finding {
  return {
    name: 'collections of the manifest',
    asked: ['walk'],
    async *find({ api, patiently, signal }) {
      for (const { collection, server = defaultServer } of collections) {
        const walked = api(server).walk(collection, signal, patiently(server))
        for await (const { pid } of walked) yield { dataset: pid, server }
      }
    },
  }
}

/** The list of what was found, as a table; `count` is told how many. Rejects when nothing was found. */
export async function* tableOf(
  { name, find }: Finding,
  search: Search,
  count: (datasets: number) => void,
): AsyncGenerator<string> {
  yield `# ${name.replaceAll(/\s+/g, ' ')}, found ${new Date().toISOString()}\ndataset,server\n`
  let found = 0
  for await (const { dataset, server } of find(search)) {
    found += 1
    yield `${formatRecord([dataset, server])}\n`
  }
  if (found === 0) throw refusal(`No released dataset was found (${name}): check its spelling.`)
  count(found)
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
