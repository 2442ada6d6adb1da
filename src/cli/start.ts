import { environment, setEnvironmentDefaults } from '../config/environment.ts'
import { VERBS } from './commands.ts'
import { interruption } from './interruption.ts'
import { runProgram } from './program.ts'
import { watchSurroundings } from './surroundings.ts'
import { failUnlessEnded } from './unended.ts'

setEnvironmentDefaults()
const asked = interruption((code) => process.exit(code))
watchSurroundings(asked, process)
failUnlessEnded(process)
// Only a supervisor or a scheduler holds a channel.
const parent = Object.hasOwn(process, 'connected') ? await import('./heed-parent.ts') : undefined
parent?.heedParent(asked)

const code = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: environment(),
  cwd: process.cwd(),
  signal: asked.signal,
  verbs: VERBS,
  onRecord: parent?.tellParent(),
})
// A pipe may still be draining, and a command that leaves something open must not hang the shell.
process.stdout.write('', () => process.exit(code))
