import type { LoadedConfig } from '../config/config.ts'
import type { SettingName } from '../config/settings.ts'
import { DESTINATION_SETTINGS } from './destination.ts'

const REDIS: readonly SettingName[] = ['redis', 'prefix', 'stateDir']
const STORE = DESTINATION_SETTINGS.filter((name) => name !== 'destination')
const CONTROL: readonly SettingName[] = [...STORE, ...REDIS]
const FETCH: readonly SettingName[] = ['server', 'tokenFile', ...CONTROL]

/** For each command that is printed: the settings without which it would not reach the same place. */
export const NEEDED = {
  run: FETCH,
  retry: FETCH,
  resume: FETCH,
  work: FETCH,
  pause: CONTROL,
  continue: CONTROL,
  cancel: CONTROL,
  forget: CONTROL,
  status: REDIS,
} as const satisfies Readonly<Record<string, readonly SettingName[]>>

/**
 * A command that works when it is pasted into the shell that this one was typed in: the flags that say where things are
 * stand in it as they were typed; what environment and config file said needs no repeating.
 */
export function pasted(
  { given, namedFile }: Pick<LoadedConfig, 'given' | 'namedFile'>,
  verb: keyof typeof NEEDED,
  words: readonly string[],
): string {
  const flags = NEEDED[verb].flatMap((name) => {
    const { flag, value } = given[name] ?? {}
    if (flag === undefined || value === undefined) return []
    return (typeof value === 'string' ? [value] : value).flatMap((one) => [flag, one])
  })
  const file = namedFile === undefined ? [] : ['--config', namedFile]
  return ['dataferry', verb, ...words, ...flags, ...file].map(shellWord).join(' ')
}

/** Quotes a word for a POSIX shell where it needs that. Control characters become escapes, which bash, zsh and ksh read. */
export function shellWord(word: string): string {
  if (/^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+:,./=-]*$/.test(word)) return word
  if (!/[\p{C}\p{Zl}\p{Zp}]/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`
  const escaped = word.replaceAll(/[\\']/g, '\\$&').replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, bytesOf)
  return `$'${escaped}'`
}

function bytesOf(character: string): string {
  return Array.from(Buffer.from(character), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}
