import { nodeProblem } from './node-version.ts'

// The first import of the library: an old Node.js gets one sentence, before it fails on what it lacks.
const problem = nodeProblem(process.versions.node)
if (problem !== undefined) throw new Error(problem)
