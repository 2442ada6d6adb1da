import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { LoadedConfig } from '../../config/config.ts'
import { messageOf } from '../../errors.ts'
import { connect } from '../../queue/connection.ts'
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
    // The message itself holds the command that mends it.
    const fix =
      redis === undefined ? 'Or name a running Redis with --redis or REDIS_URL.' : 'Or leave --redis and REDIS_URL out.'
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

async function checkRunning(config: LoadedConfig, url: string, shown: string, signal: AbortSignal): Promise<Finding[]> {
  const client = await connect({ url, role: 'producer', signal, ...certificates(config) })
  try {
    const { product, version, warnings } = await checkSettings(client)
    const answers: Finding = { check, health: 'ok', message: `${shown} is ${product} ${version}` }
    return [answers, ...warnings.map((message): Finding => ({ check, health: 'warn', message }))]
  } finally {
    client.disconnect()
  }
}
