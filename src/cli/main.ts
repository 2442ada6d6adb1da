#!/usr/bin/env node
import { nodeProblem } from '../node-version.ts'

// Everything else is read once this Node.js is known to understand it.
const problem = nodeProblem(process.versions.node)
if (problem === undefined) void import('./start.ts')
else process.stderr.write(`${problem}\n`, () => process.exit(3))
