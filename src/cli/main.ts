#!/usr/bin/env node
import { environment, setEnvironmentDefaults } from '../config/config.ts'
import { systemCode } from '../errors.ts'
import { VERBS } from './commands.ts'
import { interruption } from './interruption.ts'
import { runProgram } from './program.ts'

setEnvironmentDefaults()
const { signal, onSignal, stop } = interruption((code) => process.exit(code))
process.on('SIGINT', onSignal)
process.on('SIGTERM', onSignal)

// `dataferry status | head -1`: nobody reads any more, so there is nothing to say and no reason to go on.
process.stdout.on('error', (error) => {
  if (systemCode(error) !== 'EPIPE') throw error
  stop('nobody reads the output any more')
})
process.stderr.on('error', (error) => {
  if (systemCode(error) !== 'EPIPE') throw error
})

const code = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: environment(),
  cwd: process.cwd(),
  signal,
  verbs: VERBS,
})
// A pipe may not have taken all of it yet; and a command that leaves something open must not hang the shell.
process.stdout.write('', () => process.exit(code))
