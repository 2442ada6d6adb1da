#!/usr/bin/env node
import { nodeProblem } from '../node-version.ts'
import { openFilesProblem } from '../open-files.ts'

// Everything else is read once this Node.js is known to understand it, and to be allowed to open it.
const problem = nodeProblem(process.versions.node) || openFilesProblem()
if (problem === undefined) void import('./start.ts')
else process.stderr.write(`${problem}\n`, () => process.exit(3))
