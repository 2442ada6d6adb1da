import { Command as Parser, CommanderError, Option } from 'commander'
import type { GivenFlags } from '../config/config.ts'
import { DataferryError } from '../errors.ts'
import { aboutSetting, SETTING_NAMES, type SettingName } from '../config/about-settings.ts'
import type { Command, Given, Operand } from './command.ts'

/** Flags of every verb that are not settings. */
const COMMON: readonly (readonly [flags: string, help: string])[] = [
  ['--json', 'results as one JSON object per line'],
  ['-q, --quiet', 'print only results, warnings and errors'],
  ['-v, --verbose', 'print more, and show where an error came from'],
  ['--no-color', 'no colours, as with NO_COLOR in the environment'],
  ['--config <file>', 'settings file (default: ./dataferry.config.json, if it exists)'],
  ['-h, --help', 'show this help'],
]
/** Settings that every verb understands. */
const SHARED: readonly SettingName[] = ['redis', 'prefix', 'stateDir', 'caFile', 'logLevel', 'logFile']
const OWN_GROUP = 'Flags:'
const SHARED_GROUP = 'Flags of every command:'

/** The command line of one verb, read. */
export interface Typed extends Given {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly color: boolean
  /** Path of the settings file. */
  readonly config: string | undefined
  readonly settings: GivenFlags
}

interface SettingOption {
  readonly name: SettingName
  readonly option: Option
}

/** A parser that throws commander's errors, and neither writes nor exits itself. */
export function quietParser(name: string): Parser {
  const silent = (): void => undefined
  return new Parser(name)
    .exitOverride()
    .helpOption(false)
    .helpCommand(false)
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ writeOut: silent, writeErr: silent })
}

/** What `dataferry <name>` understands. */
export function parserFor(name: string, summary: string, command: Command): Parser {
  const about = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.${command.about ? ` ${command.about}` : ''}`
  const parser = quietParser(`dataferry ${name}`)
    .description(about)
    .usage([...command.operands.map(operandUsage), '[flags]'].join(' '))
  for (const operand of command.operands) parser.argument(operandUsage(operand), operand.help)
  for (const { flags, help, many } of command.flags) {
    const option = new Option(flags, help).helpGroup(OWN_GROUP)
    parser.addOption(many ? option.argParser(collect) : option)
  }
  for (const { option } of settingOptions(command.settings, command.settingHelp)) {
    parser.addOption(option.helpGroup(OWN_GROUP))
  }
  const others = SHARED.filter((one) => !command.settings.includes(one))
  for (const { option } of settingOptions(others)) parser.addOption(option.helpGroup(SHARED_GROUP))
  for (const [flags, help] of COMMON) parser.addOption(new Option(flags, help).helpGroup(SHARED_GROUP))
  return parser
}

/**
 * Reads what follows the verb. Throws `ARGUMENT_INVALID` with commander's sentence, which names the flag and, for a
 * mistyped one, the flag that was probably meant.
 */
export function readArguments(parser: Parser, command: Command, argv: readonly string[]): Typed {
  try {
    parser.parse(argv, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) throw usageError(error.message, parser.name())
    throw error
  }
  const values: Readonly<Record<string, unknown>> = parser.opts()
  const text = (flag: string): string | undefined => {
    const value = values[attribute(flag)]
    return typeof value === 'string' ? value : undefined
  }
  const texts = (flag: string): readonly string[] => {
    const value = values[attribute(flag)]
    return Array.isArray(value) ? value.map(String) : []
  }
  const has = (flag: string): boolean => values[attribute(flag)] === !flag.startsWith('no-')
  return {
    args: parser.args,
    has,
    text,
    texts,
    json: has('json'),
    quiet: has('quiet'),
    verbose: has('verbose'),
    color: !has('no-color'),
    config: text('config'),
    settings: givenSettings(parser, [...command.settings, ...SHARED]),
  }
}

/** Flags, short and long, that take the next argument as their value. */
export function valueFlags(): ReadonlySet<string> {
  const options = [
    ...COMMON.map(([flags]) => new Option(flags)),
    ...settingOptions(SETTING_NAMES).map(({ option }) => option),
  ]
  return new Set(
    options.filter(({ required }) => required).flatMap(({ short, long }) => [short ?? [], long ?? []].flat()),
  )
}

/** An `ARGUMENT_INVALID` in the words of the command line. */
export function usageError(message: string, name: string): DataferryError {
  const sentence = message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)/i, '; did you mean $1?')
  return new DataferryError('ARGUMENT_INVALID', `${sentence} (see ${name} --help)`)
}

function settingOptions(names: readonly SettingName[], helpOf: Command['settingHelp'] = {}): SettingOption[] {
  return names.flatMap((name) => {
    const about = aboutSetting(name)
    return (about.flags ?? []).map((flags, at) => {
      const notes = [about.fallback && `default: ${about.fallback}`, `environment: ${about.env.join(', ')}`]
      const first = about.flags?.[0]?.match(/--[\w-]+/)?.[0] ?? ''
      const own = helpOf[name] ?? `${about.help} (${notes.filter(Boolean).join('; ')})`
      const help = at === 0 ? own : `the same as ${first}`
      const option = new Option(flags, help)
      // A switch has no value to keep.
      return { name, option: option.required ? option.argParser(collect) : option }
    })
  })
}

/** Keeps every value of a flag: whether several make sense is up to the setting. */
function collect(value: string, before: unknown): string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), value]
}

function givenSettings(parser: Parser, names: readonly SettingName[]): GivenFlags {
  const given: Partial<Record<SettingName, { flag: string; value: string | readonly string[] }>> = {}
  for (const { name, option } of settingOptions([...new Set(names)])) {
    const value: unknown = parser.getOptionValue(option.attributeName())
    // A switch, which takes no value.
    const values = value === true ? ['yes'] : Array.isArray(value) ? value.map(String) : undefined
    if (!values) continue
    const flag = option.long ?? option.flags
    const earlier = given[name]
    if (earlier) throw usageError(`${earlier.flag} and ${flag} mean the same: give one of them`, parser.name())
    given[name] = { flag, value: aboutSetting(name).many ? values : (values.at(-1) ?? '') }
  }
  return given
}

function operandUsage({ name, optional, many }: Operand): string {
  const text = many ? `${name}...` : name
  return optional ? `[${text}]` : `<${text}>`
}

/** `dry-run` → `dryRun`, `no-resume` → `resume`: commander's name for the value of a long flag. */
function attribute(flag: string): string {
  return new Option(`--${flag}`).attributeName()
}
