import { environment } from '../../config/environment.ts'
import { checkDestination } from '../doctor/destination.ts'
import { checkManifest, checkNode } from '../doctor/machine.ts'
import { checkRedis, checkState } from '../doctor/redis.ts'
import { checkServer } from '../doctor/server.ts'
import type { Command, Context } from '../command.ts'
import type { Finding, Health } from '../doctor/finding.ts'
import type { Output, Tone } from '../terminal/output.ts'

/** What `dataferry doctor` does. */
export const run: Command['run'] = async (context) => {
  const findings: Finding[] = []
  for await (const finding of examine(context)) {
    findings.push(finding)
    report(context.out, finding)
  }
  return findings.some(({ health }) => health === 'fail') ? 1 : 0
}

/** One after the other, so that a slow check is seen to be slow. */
async function* examine(context: Context): AsyncGenerator<Finding, void> {
  const { config, signal, args, text } = context
  const path = environment()['PATH'] ?? ''
  yield checkNode(process.versions.node)
  const redis = await checkRedis(config, path, signal)
  yield* redis
  if (config.settings.redis === undefined && redis.every(({ health }) => health !== 'fail')) {
    yield await checkState(config, path)
  }
  yield await checkDestination(config)
  if (config.servers.length === 0) yield NO_SERVER
  for (const server of config.servers) yield* await checkServer(context, server, signal)
  if (args.length > 0 || text('manifest') !== undefined) yield await checkManifest(context)
}

const NO_SERVER: Finding = {
  check: 'Server',
  health: 'warn',
  message: 'none is named',
  fix: 'Give one with --server, DATAVERSE_SERVER or dataferry.config.json.',
}

const TONES: Readonly<Record<Health, Tone>> = { ok: 'good', warn: 'warn', fail: 'bad' }

function report(out: Output, finding: Finding): void {
  out.record({ event: 'check', ...finding })
  out.paragraph(`${finding.health.padEnd(4)}  ${finding.check.padEnd(11)}  ${finding.message}`, TONES[finding.health])
  if (finding.fix !== undefined) out.paragraph(`${' '.repeat(19)}${finding.fix}`)
}
