import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import type { LoadedConfig } from '../../config/config.ts'
import { messageOf } from '../../errors.ts'
import { connect } from '../../queue/connection.ts'
import { startEmbeddedRedis } from '../../queue/embedded/redis.ts'
import { findRedisBinary, noRedisBinary } from '../../queue/embedded/redis-binary.ts'
import { checkRedis as checkSettings } from '../../queue/redis-settings.ts'
import { certificates } from '../runtime.ts'
import type { Finding } from './finding.ts'

const check = 'Redis'
const run = promisify(execFile)

/** Whether the Redis that the settings name can be used; without one, whether a private one could be started. */
export async function checkRedis(config: LoadedConfig, path: string, signal: AbortSignal): Promise<Finding[]> {
  const { redis } = config.settings
  try {
    return redis === undefined
      ? [await checkBinary(path)]
      : await checkRunning(config, redis.reveal(), redis.shown, signal)
  } catch (error) {
    // The message itself holds the command that fixes it.
    const fix =
      redis === undefined ? 'Or give a running Redis with --redis or REDIS_URL.' : 'Or remove --redis and REDIS_URL.'
    return [{ check, health: 'fail', message: messageOf(error), fix }]
  }
}

/** `path` has the form of `PATH`. */
async function checkBinary(path: string): Promise<Finding> {
  const binary = await findRedisBinary(path)
  if (binary === undefined) throw await noRedisBinary()
  const { stdout } = await run(binary, ['--version'])
  const version = /v=(\S+)/.exec(stdout)?.[1]
  return { check, health: 'ok', message: `private, with ${binary}${version === undefined ? '' : ` ${version}`}` }
}

/** Whether the private Redis starts in the state folder. It is stopped again unless others use it. */
export async function checkState(config: LoadedConfig, path: string): Promise<Finding> {
  const { stateDir } = config.settings
  const state = 'State folder'
  try {
    const embedded = await startEmbeddedRedis({ stateDir, path })
    await embedded.release()
    return { check: state, health: 'ok', message: `the private Redis starts in ${stateDir}` }
  } catch (error) {
    const fix = 'Give another folder with --state-dir, or a running Redis with --redis or REDIS_URL.'
    return { check: state, health: 'fail', message: messageOf(error), fix }
  }
}

async function checkRunning(config: LoadedConfig, url: string, shown: string, signal: AbortSignal): Promise<Finding[]> {
  const client = await connect({ url, role: 'producer', signal, ...certificates(config) })
  try {
    const { product, version, warnings } = await checkSettings(client)
    const key = `${config.settings.prefix}:doctor:${randomUUID()}`
    await client.set(key, '1', 'PX', 10_000)
    await client.del(key)
    const answers: Finding = { check, health: 'ok', message: `${shown} is ${product} ${version}, and writable` }
    return [answers, ...warnings.map((message): Finding => ({ check, health: 'warn', message }))]
  } finally {
    client.disconnect()
  }
}
