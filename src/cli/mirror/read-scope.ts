import { createReadStream } from 'node:fs'
import { DataferryError } from '../../errors.ts'
import { openManifest } from '../../manifest/read-manifest.ts'
import { DAY_MS } from '../../model/calendar.ts'
import type { Target } from '../../model/entry.ts'
import type { MirrorScope } from '../../mirror/order.ts'
import type { Context } from '../command.ts'
import { ManifestFiles } from '../manifest-files.ts'

/** Which datasets a command line wants mirrored. Rejects with `ARGUMENT_INVALID` and `MANIFEST_INVALID`. */
export async function readScope(context: Context): Promise<MirrorScope> {
  const { text, texts, has } = context
  const collections = [...new Set(texts('collection'))]
  const [query, set, list] = [text('query'), text('oai-set'), text('datasets')]
  const given = [collections.length > 0, query !== undefined, set !== undefined, list !== undefined]
  if (given.filter(Boolean).length !== 1) {
    throw refusal(
      'Say which datasets: --collection ALIAS, --query SEARCH, --oai-set SPEC or --datasets FILE, one of them.',
    )
  }
  if (has('linked') && collections.length === 0) throw refusal('--linked goes with --collection.')
  if (query !== undefined) return { kind: 'query', query: named('query', query) }
  if (set !== undefined) return { kind: 'oai-set', set: named('oai-set', set) }
  if (list !== undefined) return { kind: 'datasets', datasets: await readList(context, list) }
  const wrong = collections.find((alias) => !/^[\w-]{1,200}$/.test(alias))
  if (wrong !== undefined) throw refusal(`--collection ${wrong} is no alias: give the word that ends its address.`)
  return { kind: 'collections', collections, linked: has('linked') }
}

/** The datasets of a manifest in any form. */
async function readList(context: Context, list: string): Promise<string[]> {
  const { config, signal } = context
  const given = {
    ...context,
    args: [],
    text: (flag: string) => (flag === 'manifest' ? list : undefined),
    texts: () => [],
  }
  await using manifests = await ManifestFiles.open(given)
  const found = new Set<string>()
  for (const { path, name } of manifests.files) {
    const { lines } = await openManifest(createReadStream(path), { name, servers: config.servers })
    for await (const line of lines) {
      signal.throwIfAborted()
      if ('error' in line) throw line.error
      const { target } = line.entry
      const pid = pidOf(target)
      if (pid === undefined) {
        throw new DataferryError('MANIFEST_INVALID', `${name}:${line.line} names no dataset by its PID.`)
      }
      if ('version' in target) {
        const message = `${name}:${line.line} names a version: a mirror follows its datasets, so leave the version out.`
        throw new DataferryError('MANIFEST_INVALID', message)
      }
      found.add(pid)
    }
  }
  if (found.size === 0) throw new DataferryError('MANIFEST_INVALID', `${list} names no dataset.`)
  return [...found]
}

function pidOf(target: Target): string | undefined {
  if (target.kind === 'pid') return target.pid
  return target.kind === 'dataset' && typeof target.dataset === 'string' ? target.dataset : undefined
}

function named(flag: string, value: string): string {
  if (value.trim() !== '') return value
  throw refusal(`--${flag} is empty.`)
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}

/** `5%`, as a share. */
export function readShare(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const percent = /^\d{1,3}(?:\.\d{1,6})?%$/.test(value) ? Number(value.slice(0, -1)) : NaN
  if (percent >= 0 && percent <= 100) return percent / 100
  throw refusal(`--${flag}: expected a share such as 5%, not ${value}.`)
}

/** `180d` or `12h`, in milliseconds. */
export function readAge(flag: string, value: string | undefined): number {
  const [, number = '', unit] = /^(\d{1,6})([dh])$/.exec(value ?? '') ?? []
  if (number !== '') return Number(number) * (unit === 'd' ? DAY_MS : DAY_MS / 24)
  throw refusal(`--${flag}: expected how long, such as 180d${value === undefined ? '' : `, not ${value}`}.`)
}

/** One of a flag's words. */
export function readChoice<T extends string>(
  flag: string,
  value: string | undefined,
  words: readonly T[],
  fallback: T,
): T {
  if (value === undefined) return fallback
  const found = words.find((word) => word === value)
  if (found !== undefined) return found
  throw refusal(`--${flag}: expected ${words.join(' or ')}, not ${value}.`)
}
