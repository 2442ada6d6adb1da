// Prints `N passed, N failed` over vitest's JSON reports, for the last line of `.ci/run`. A test file that could not even
// be loaded counts as one failure; so does a report that is missing or tells of no test. Exit code 1 when anything failed.
import { readFileSync } from 'node:fs'

const counts = process.argv.slice(2).map(count)
const sum = (key) => counts.reduce((total, one) => total + one[key], 0)
const passed = sum('passed')
const failed = counts.length === 0 ? 1 : sum('failed')
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

function count(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const unloaded = report.testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
    )
    const passed = report.numPassedTests
    const failures = report.numFailedTests + unloaded.length
    // An error outside of any test fails the run without failing a test.
    const unnoticed = failures === 0 && (!report.success || passed === 0)
    return { passed, failed: unnoticed ? 1 : failures }
  } catch (error) {
    console.error(`no test report: ${error.message}`)
    return { passed: 0, failed: 1 }
  }
}
