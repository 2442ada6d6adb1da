import { DataferryError } from '../errors.ts'

/** Identifies a file or a dataset: a database id (number or digits) or a PID, also as a URL of its resolver. */
export type Identifier = number | string

/** An identifier, understood. */
export type KnownIdentifier =
  | { readonly kind: 'id'; readonly id: number }
  /** `doi:10.70122/FK2/ABC`, with its scheme in lower case. */
  | { readonly kind: 'pid'; readonly pid: string }

const SCHEMES: readonly { readonly host: RegExp; readonly scheme: string }[] = [
  { host: /^(?:dx\.|www\.)?doi\.org$/, scheme: 'doi' },
  { host: /^(?:www\.)?(?:hdl\.)?handle\.net$/, scheme: 'hdl' },
]

/** Longest identifier, including the URL of a page, in characters. */
export const LONGEST_IDENTIFIER = 2000

/**
 * Understands an identifier. Resolver URLs become PIDs: `https://doi.org/10.5072/X` and `https://hdl.handle.net/1/X`,
 * and any page URL that has a `persistentId` parameter, as Dataverse's own pages do (`perma:` has no other resolver).
 * Rejects everything else with `ARGUMENT_INVALID`.
 */
export function parseIdentifier(identifier: Identifier): KnownIdentifier {
  const text = String(identifier)
    .slice(0, LONGEST_IDENTIFIER + 1)
    .trim()
  if (/^\d+$/.test(text)) {
    const id = Number(text)
    if (id > 0 && Number.isSafeInteger(id)) return { kind: 'id', id }
  }
  const pid = typeof identifier === 'string' && text.length <= LONGEST_IDENTIFIER ? pidIn(text) : undefined
  if (pid === undefined) throw new DataferryError('ARGUMENT_INVALID', complaint(text))
  return { kind: 'pid', pid }
}

function pidIn(text: string): string | undefined {
  const pid = /^https?:\/\//i.test(text) ? pidOfUrl(text) : text
  const match = /^(doi|hdl|perma):\/*([^\s\p{C}/][^\s\p{C}]*)$/iu.exec(pid ?? '')
  return match?.[1] && match[2] ? `${match[1].toLowerCase()}:${match[2]}` : undefined
}

function pidOfUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const named = url.searchParams.get('persistentId')
  if (named) return named
  const resolver = SCHEMES.find(({ host }) => host.test(url.hostname))
  return resolver && `${resolver.scheme}:${decoded(url.pathname.replace(/^\/+/, '') + url.search)}`
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function complaint(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
  const hint = /^10\.\d+\//.test(text)
    ? ` Write doi:${shown}.`
    : ' Use a database id, or a PID such as doi:10.5072/FK2/ABC.'
  return `"${shown}" is not an id of a file or dataset.${hint}`
}
