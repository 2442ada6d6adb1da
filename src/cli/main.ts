#!/usr/bin/env node
import module from 'node:module'
import { nodeProblem } from '../node-version.ts'
import { openFilesProblem } from '../open-files.ts'

/**
 * Lets Node.js keep what it compiled for the next start, where it can (22.1 or newer).
 * @see https://nodejs.org/api/module.html#moduleenablecompilecachecachedir
 */
function keepCompiled(): void {
  const enable: unknown = Reflect.get(module, 'enableCompileCache')
  if (typeof enable === 'function') Reflect.apply(enable, module, [])
}

// Everything else is loaded once this Node.js is known to understand it, with enough open files allowed.
const problem = nodeProblem(process.versions.node) || openFilesProblem()
if (problem === undefined) {
  keepCompiled()
  // Stacks that are asked for name the lines of the sources; only what is read from here on can be looked up.
  if (process.argv.some((word) => word === '-v' || word === '--verbose')) process.setSourceMapsEnabled(true)
  void import('./start.ts')
} else process.stderr.write(`${problem}\n`, () => process.exit(3))
