import type { LoadedConfig } from '../config/config.ts'
import { aboutSetting, type SettingName } from '../config/about-settings.ts'
import { shellWord } from '../model/shell-word.ts'
import type { Command, Context } from './command.ts'
import { DESTINATION_SETTINGS, SERVER_SETTINGS } from './shared-flags.ts'

const REDIS: readonly SettingName[] = ['redis', 'prefix', 'stateDir', 'caFile']
const STORE = DESTINATION_SETTINGS.filter((name) => name !== 'destination')
const CONTROL: readonly SettingName[] = [...STORE, ...REDIS]
const FETCH: readonly SettingName[] = [...SERVER_SETTINGS, 'guestbook', ...CONTROL]

/** For each command that is printed: the settings it needs to reach the same place. */
export const NEEDED = {
  run: FETCH,
  retry: FETCH,
  resume: FETCH,
  repair: FETCH,
  work: FETCH,
  access: [...SERVER_SETTINGS, 'guestbook', 'caFile'],
  guestbook: [...SERVER_SETTINGS, 'caFile'],
  pause: CONTROL,
  continue: CONTROL,
  cancel: CONTROL,
  forget: REDIS,
  status: REDIS,
  mirror: ['destination', ...FETCH],
  schedule: REDIS,
  serve: FETCH,
  plan: FETCH,
  enqueue: FETCH,
  dashboard: REDIS,
  export: STORE,
  verify: STORE,
} as const satisfies Readonly<Record<string, readonly SettingName[]>>

/** The flags for servers that neither the command line nor the settings name. */
export function unnamedServers(
  { servers }: Pick<LoadedConfig, 'servers'>,
  wanted: Iterable<string>,
): readonly string[] {
  return [...wanted].filter((server) => !servers.includes(server)).flatMap((server) => ['--server', server])
}

/**
 * A command that works when pasted into the shell that this one was typed in: the flags that say where things are
 * appear in it as they were typed; those from environment and config file need no repeating.
 */
export function pasted(
  config: Pick<LoadedConfig, 'given' | 'namedFile'>,
  verb: keyof typeof NEEDED,
  words: readonly string[],
): string {
  return ['dataferry', ...commandWords(config, verb, words)].map(shellWord).join(' ')
}

/** The same for a process that is started from here, without a shell. */
export function commandWords(
  { given, namedFile }: Pick<LoadedConfig, 'given' | 'namedFile'>,
  verb: keyof typeof NEEDED,
  words: readonly string[],
): string[] {
  const flags = NEEDED[verb].flatMap((name) => {
    const { flag, value } = given[name] ?? {}
    if (flag === undefined || value === undefined) return []
    return (typeof value === 'string' ? [value] : value).flatMap((one) => [flag, one])
  })
  const file = namedFile === undefined ? [] : ['--config', namedFile]
  return [verb, ...words, ...flags, ...file]
}

/**
 * The command line that was typed, with another verb that understands its flags.
 * @param without flags that are left out
 */
export function typedAgain(
  { args, has, text, texts, config: { given, namedFile } }: Context,
  verb: string,
  { settings, flags }: Command,
  without: readonly string[],
): string {
  const words = [...args]
  for (const { flags: notation, many } of flags) {
    const [, name = '', value] = /--([\w-]+)( <)?/.exec(notation) ?? []
    if (without.includes(name)) continue
    const values = many ? texts(name) : [text(name)].filter((one) => one !== undefined)
    if (value === undefined) words.push(...(has(name) ? [`--${name}`] : []))
    else words.push(...values.flatMap((one) => [`--${name}`, one]))
  }
  for (const name of settings) {
    const { flag, value = [] } = given[name] ?? {}
    if (flag === undefined) continue
    // A switch has no value of its own.
    const takesValue = aboutSetting(name).flags?.some((notation) => notation.includes(flag) && notation.includes('<'))
    words.push(...(takesValue ? [value].flat().flatMap((one) => [flag, one]) : [flag]))
  }
  const file = namedFile === undefined ? [] : ['--config', namedFile]
  return ['dataferry', verb, ...words, ...file].map(shellWord).join(' ')
}
