import type { LoadedConfig } from '../config/config.ts'
import type { Logger } from '../log.ts'
import type { SettingName } from '../config/about-settings.ts'
import type { StopLimits } from './stop-limits.ts'
import type { Output } from './terminal/output.ts'

/**
 * What the shell gets: 0 all there · 1 something failed · 2 usage, config or manifest · 3 cannot start (Redis, sink,
 * server) · 10 a stop limit was reached · 130 interrupted; the same command continues.
 */
export type ExitCode = 0 | 1 | 2 | 3 | 10 | 130

/** What was typed after the verb. Names are those of the long flags, without dashes: `dry-run`. */
export interface Given {
  /** Operands in order. */
  readonly args: readonly string[]
  /** Whether a flag without a value was given. */
  readonly has: (flag: string) => boolean
  /** The value of a flag, the last one when it was given several times. */
  readonly text: (flag: string) => string | undefined
  /** All values of a flag that may be given several times. */
  readonly texts: (flag: string) => readonly string[]
}

/** Everything a command works with. */
export interface Context extends Given {
  readonly config: LoadedConfig
  readonly out: Output
  /**
   * Aborts at the first Ctrl-C, SIGTERM or SIGHUP, and at a stop limit. The command then parks what is in flight, says how to
   * go on and ends with 130, or lets the signal's reason (`INTERRUPTED`, `LIMIT_REACHED`) through. A second Ctrl-C ends the
   * process at once.
   */
  readonly signal: AbortSignal
  /** What ends this command before its work has ended. */
  readonly limits: StopLimits
  readonly log: Logger
  /** The clock by which a mirror knows what day it is. */
  readonly now: () => Date
  /** Log lines and a live picture would draw over one another. */
  readonly logsToTerminal: boolean
}

/** A flag of one command that is not a setting. Has a value when its notation ends in `<…>`. */
interface CommandFlag {
  /** In commander's notation: `-n, --dry-run`, `-m, --manifest <file>`. */
  readonly flags: string
  readonly help: string
  /** May be given several times; `Given.texts` has all values. */
  readonly many?: true
}

export interface Operand {
  readonly name: string
  readonly help: string
  readonly optional?: true
  /** Takes all that follow; only the last operand may. */
  readonly many?: true
}

/** What a command says when it is stopped. */
export interface StopWords {
  /** Immediately: what happens to its work. */
  readonly stopping: string
  /** Once it has stopped: how to continue; nothing where it has said so itself. */
  readonly stopped?: string
}

/** For commands that fetch. */
export const PARKS: StopWords = {
  stopping: 'what was fetched is kept.',
  stopped: 'Run the same command again: it continues where it stopped.',
}

/** For commands that plan. */
export const PLANS: StopWords = { ...PARKS, stopping: 'what was planned is kept.' }

/** A verb of the command line: `commands/<verb>.ts` exports one as `command`, and `commands.ts` lists it. */
export interface Command {
  /** Command lines that work as they stand; the first one opens the help. */
  readonly examples: readonly [string, ...string[]]
  /** One or two sentences more than the summary of the table. */
  readonly about?: string
  readonly operands: readonly Operand[]
  /** Settings that matter here: their flags are offered. The others still come from environment and file. */
  readonly settings: readonly SettingName[]
  /** What a setting is here, where its flag alone counts, and means something else than elsewhere. */
  readonly settingHelp?: Partial<Readonly<Record<SettingName, string>>>
  readonly flags: readonly CommandFlag[]
  /** Default: there is nothing to keep. */
  readonly stop?: StopWords
  run(context: Context): Promise<ExitCode>
}
