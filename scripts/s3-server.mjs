// Makes an S3 server available for the tests: `node scripts/s3-server.mjs` prints the path of `versitygw`.
// It is taken from PATH or from the cache folder, else built there with `go install`. No dependencies.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

const VERSION = 'v1.8.0'
const PACKAGE = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`
const NAME = process.platform === 'win32' ? 'versitygw.exe' : 'versitygw'
/** As in test/s3-server.ts, which looks here as well. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'dataferry', 's3-servers')

const found = [...(process.env.PATH ?? '').split(delimiter), CACHE].map((dir) => join(dir, NAME)).find(isExecutable)
if (found) console.log(found)
else build()

function build() {
  mkdirSync(CACHE, { recursive: true })
  console.error(`Building ${PACKAGE} into ${CACHE}; this takes two or three minutes.`)
  const { status, error } = spawnSync('go', ['install', PACKAGE], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, GOBIN: CACHE },
  })
  if (error || status !== 0) {
    const why = error ? `Go could not be run (${error.message})` : `go install ended with status ${status}`
    console.error(`${why}: put versitygw or minio on PATH, or set S3_TEST_ENDPOINT, to run the S3 tests.`)
    process.exitCode = 1
    return
  }
  console.log(join(CACHE, NAME))
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
