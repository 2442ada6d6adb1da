import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { records, type Ended } from './cli.ts'
import { until } from './service.ts'

/**
 * docker-compose.yml as its page tells people to use it, with a Docker engine. Where no registry of images can be reached,
 * `TEST_NODE_IMAGE` and `TEST_REDIS_IMAGE` name images that are there; in that of Redis, `/data` belongs to 999:1000.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const COMPOSE = [['docker', 'compose'], ['docker-compose']].find(([file = '', ...words]) =>
  succeeds(file, ...words, 'version'),
)
const hasEngine = succeeds('docker', 'info')

if (!hasEngine && process.env['CI'] && existsSync('/var/run/docker.sock'))
  throw new Error('The Docker engine of this machine does not answer: docker-compose.yml is not tested.')

const isMissing = !hasEngine || !COMPOSE
if (isMissing) process.stderr.write('SKIPPED: there is no Docker engine with Compose: no container is tested.\n')

describe.skipIf(isMissing)(
  `containers${isMissing ? ': SKIPPED, as there is no Docker engine with Compose' : ''}`,
  () => {
    const name = `dftest${randomBytes(4).toString('hex')}`
    const images = { image: `${name}-dataferry` }
    let folder: string
    let env: NodeJS.ProcessEnv
    const compose = (...args: readonly string[]): Promise<Ended> => {
      const files = ['-f', join(ROOT, 'docker-compose.yml'), '-f', join(folder, 'override.yml')]
      return run([...(COMPOSE ?? []), '-p', name, '--project-directory', ROOT, ...files, ...args], env)
    }
    const well = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await compose(...args)
      if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
      return stdout
    }
    const cli = (...args: readonly string[]) => compose('run', '--rm', '-T', 'dataferry', ...args)

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'df-compose-'))
      await mkdir(join(folder, 'manifests'))
      env = {
        ...process.env,
        REDIS_PASSWORD: randomBytes(12).toString('hex'),
        DATAVERSE_SERVER: 'http://standin:8080',
        DATAFERRY_MANIFESTS: join(folder, 'manifests'),
      }
      const { TEST_NODE_IMAGE, TEST_REDIS_IMAGE } = process.env
      const build = TEST_NODE_IMAGE ? { build: { args: { NODE_IMAGE: TEST_NODE_IMAGE }, network: 'host' } } : {}
      const ours = { ...images, ...build }
      const services = {
        ...Object.fromEntries(['worker', 'serve', 'dataferry', 'bucket'].map((one) => [one, ours])),
        standin: { ...build, image: `${name}-standin` },
        ...(TEST_REDIS_IMAGE && { redis: { image: TEST_REDIS_IMAGE } }),
      }
      await writeFile(join(folder, 'override.yml'), stringify({ services }))
      await well('--profile', 'demo', 'build', 'worker', 'standin')
    }, 900_000)
    afterAll(async () => {
      await compose('--profile', 'demo', '--profile', 'serve', 'down', '--volumes', '--remove-orphans')
      await run(['docker', 'image', 'rm', '--force', images.image, `${name}-standin`], env)
      await rm(folder, { recursive: true })
    }, 300_000)

    test('workers fetch a dataset together, which is verified; a schedule runs, and the dashboard gives a link', async () => {
      await well('--profile', 'demo', '--profile', 'serve', 'up', '-d', '--scale', 'worker=2')
      const batch = await cli('run', 'doi:10.5072/FK2/CLIMATE', '--json')
      expect(records(batch.stdout).at(-1), batch.stderr).toMatchObject({ event: 'summary', complete: true })
      const verified = await cli('verify', '--json')
      expect([verified.code, records(verified.stdout).at(-1)]).toMatchObject([0, { event: 'verified', missing: 0 }])
      const workers = records((await cli('status', '--json')).stdout).filter(({ event }) => event === 'worker')
      expect(workers.length).toBeGreaterThanOrEqual(2)
      for (const service of ['worker', 'serve']) {
        const health = await compose('exec', '-T', service, 'node', '/app/dist/bin/health.js')
        expect([service, health.code, health.stdout]).toEqual([service, 0, expect.stringContaining('alive')])
      }
      const added = await cli('schedule', 'add', 'check', '--cron', '*/2 * * * * *', '--', 'verify', '/data', '--quick')
      expect([added.code, added.stdout]).toEqual([0, expect.stringContaining('is kept')])
      await until('it has run', async () => {
        const shown = records((await cli('schedule', 'show', 'check', '--json')).stdout)
        return shown.some(({ event, exit }) => event === 'run' && exit === 0)
      })
      const link = await compose('exec', '-T', 'serve', 'dataferry', 'dashboard', 'link')
      expect(link.stdout).toMatch(/^http:\/\/localhost:8686\/link#[\w-]{43}\n$/)
    }, 600_000)

    test('a worker that is stopped ends well, in the time that it is given', async () => {
      const ids = (await well('ps', '-q', 'worker')).trim().split('\n')
      await well('--profile', 'serve', 'stop')
      const states = await run(['docker', 'inspect', '--format', '{{.State.ExitCode}}', ...ids], env)
      expect(states.stdout.trim().split('\n')).toEqual(ids.map(() => '0'))
    }, 300_000)
  },
)

function succeeds(file: string, ...args: readonly string[]): boolean {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
}

function run([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? undefined, ...said }))
  })
}
