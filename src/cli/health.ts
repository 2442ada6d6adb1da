import { nodeProblem } from '../node-version.ts'

/** The program behind the image's HEALTHCHECK; see `health-check.ts`. */
const problem = nodeProblem(process.versions.node)
if (problem === undefined) void import('./health-check.ts')
else process.stdout.write(`${problem}\n`, () => process.exit(1))
