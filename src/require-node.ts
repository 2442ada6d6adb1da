import { nodeProblem } from './node-version.ts'

// The first import of the library: an old Node.js is told so in one sentence, before it stumbles over what it lacks.
const problem = nodeProblem(process.versions.node)
if (problem !== undefined) throw new Error(problem)
