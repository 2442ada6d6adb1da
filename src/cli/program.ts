import { DATAFERRY_VERSION } from '../dataverse/version.ts'
import { chooseVerb } from './choose-verb.ts'
import type { ExitCode } from './command.ts'
import { exitCodeOf, reportError } from './failure.ts'
import { commandHelp, programHelp } from './help.ts'
import { outputFor, type World } from './world.ts'

/** Runs one command line, given without the name of the program. Never rejects: errors have been printed. */
export async function runProgram(argv: readonly string[], world: World): Promise<ExitCode> {
  // Until the command line has been read, only its plain flags are known.
  const out = outputFor(world, { json: argv.includes('--json'), quiet: false, color: !argv.includes('--no-color') })
  try {
    const choice = chooseVerb(argv, world.verbs, world.cwd)
    switch (choice.kind) {
      case 'command':
        return await (await import('./run-verb.ts')).runVerb(choice.verb, choice.rest, world)
      case 'help':
        out.text(commandHelp(choice.verb, await choice.verb.load()))
        return 0
      case 'overview':
        out.text(await programHelp(world.verbs))
        return 0
      case 'version':
        out.text(DATAFERRY_VERSION)
        return 0
      case 'nothing':
        out.say(await programHelp(world.verbs))
        return 2
    }
  } catch (error) {
    reportError(error, out, false)
    return exitCodeOf(error)
  }
}
