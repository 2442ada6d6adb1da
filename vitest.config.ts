import { defineConfig } from 'vitest/config'
import { SlowestFirst } from './test/slowest-first.ts'

/** Far above what a test needs: a machine that is busy with something else is no fault. */
const MINUTE = 60_000

/**
 * Three projects, told apart by the names of files; CONTRIBUTING.md says what belongs where.
 * `*.property.test.ts` run in all of them, with TEST_ROUNDS times as many rounds; `*.s3.test.ts` run with the first S3 server
 * in the quick tests, and with every other one in the long tests.
 */
export default defineConfig({
  test: {
    pool: 'forks',
    // One more than the cores of a small machine: tests wait for processes, servers and Redis more than they compute.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    globalSetup: 'test/bundle-programs.ts',
    hookTimeout: 3 * MINUTE,
    expect: { poll: { timeout: MINUTE } },
    projects: [
      {
        extends: true,
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{long,soak}.test.ts'],
          testTimeout: 3 * MINUTE,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: ['test/**/*.{long,property,s3}.test.ts'],
          env: { TEST_ROUNDS: '10', TEST_S3_SERVERS: 'others' },
          testTimeout: 15 * MINUTE,
        },
      },
      {
        extends: true,
        test: {
          name: 'soak',
          include: ['test/**/*.{soak,property}.test.ts'],
          env: { TEST_ROUNDS: '100' },
          testTimeout: 120 * MINUTE,
        },
      },
    ],
  },
})
