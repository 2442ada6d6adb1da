import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { nearest } from '../model/nearest.ts'
import { DEFAULT_VERB, type Verb } from './commands.ts'
import { usageError, valueFlags } from './parser.ts'

/** - `command`: run a verb · `help`: of one verb · `overview`: help of the program · `version` · `nothing`: nothing was typed */
export type Choice =
  | { readonly kind: 'command' | 'help'; readonly verb: Verb; readonly rest: readonly string[] }
  | { readonly kind: 'overview' | 'version' | 'nothing' }

/**
 * Finds the verb wherever it stands among the flags: `dataferry --json status` and `dataferry status --json` are the
 * same. Without a verb, what looks like a manifest is for `run`. Throws `ARGUMENT_INVALID` for a mistyped verb.
 */
export function chooseVerb(argv: readonly string[], verbs: readonly Verb[], cwd: string): Choice {
  const at = firstOperand(argv)
  const word = at === undefined ? undefined : argv[at]
  const rest = argv.filter((_, index) => index !== at)
  if (word === 'help') return chooseVerb([...rest, '--help'], verbs, cwd)
  const verb = verbs.find(({ name }) => name === word)
  const kind = asksFor(argv, '-h', '--help') ? 'help' : 'command'
  if (verb) return { kind, verb, rest }
  if (argv.length === 0) return { kind: 'nothing' }
  if (asksFor(argv, '-V', '--version')) return { kind: 'version' }
  if (word === undefined && kind === 'help') return { kind: 'overview' }
  const main = verbs.find(({ name }) => name === DEFAULT_VERB)
  if (main && (word === undefined || looksLikeManifest(word, cwd))) return { kind, verb: main, rest: argv }
  throw usageError(unknownVerb(word, verbs), 'dataferry')
}

/** Index of the first argument that is neither a flag nor the value of one. */
function firstOperand(argv: readonly string[]): number | undefined {
  const takesValue = valueFlags()
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (word === '--') return undefined
    if (word === '-' || !word.startsWith('-')) return at
    if (takesValue.has(word)) at++
  }
  return undefined
}

/** Whether one of these flags is there, in front of a `--`. */
function asksFor(argv: readonly string[], ...flags: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end === -1 ? undefined : end).some((word) => flags.includes(word))
}

/** A file name, a URL, a DOI, a file id or standard input; a mistyped verb is none of these. */
function looksLikeManifest(word: string, cwd: string): boolean {
  return word === '-' || /[./\\:]/.test(word) || /^\d+$/.test(word) || existsSync(resolve(cwd, word))
}

function unknownVerb(word: string | undefined, verbs: readonly Verb[]): string {
  if (word === undefined) return 'no command is given'
  const meant = nearest(
    word,
    verbs.map(({ name }) => name),
  )
  return `there is no command "${word}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`
}
