// Prints `N passed, N failed` from vitest's JSON report, for the last line of `.ci/run`. A test file that could not even
// be loaded counts as one failure; so does a report that is missing. Exit code 1 when anything failed.
import { readFileSync } from 'node:fs'

const { passed, failed } = count(process.argv[2])
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

function count(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const unloaded = report.testResults.filter(
      ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((one) => one.status === 'failed'),
    )
    const failures = report.numFailedTests + unloaded.length
    // An error outside of any test fails the run without failing a test.
    return { passed: report.numPassedTests, failed: failures === 0 && !report.success ? 1 : failures }
  } catch (error) {
    console.error(`no test report: ${error.message}`)
    return { passed: 0, failed: 1 }
  }
}
