import { environment } from '../../config/config.ts'
import { checkDestination, checkNode } from '../doctor/machine.ts'
import { checkRedis } from '../doctor/redis.ts'
import { checkServer } from '../doctor/server.ts'
import type { Command, Context } from '../command.ts'
import type { Finding, Health } from '../doctor/finding.ts'
import { SERVER_SETTINGS } from '../sources.ts'
import type { Output, Tone } from '../terminal/output.ts'

/** `dataferry doctor`: would a batch run here? Each finding with its fix. */
export const command: Command = {
  examples: [
    'dataferry doctor --server https://demo.dataverse.org',
    'dataferry doctor --server https://demo.dataverse.org --to ./data --json',
  ],
  about: 'Changes nothing. Ends with 1 when a batch would not run.',
  operands: [],
  settings: [...SERVER_SETTINGS, 'destination'],
  flags: [],
  run: async ({ config, log, out, signal }) => {
    const findings: Finding[] = []
    for await (const finding of examine({ config, log, signal })) {
      findings.push(finding)
      report(out, finding)
    }
    return findings.some(({ health }) => health === 'fail') ? 1 : 0
  },
}

/** One after the other, so that a slow one is seen to be slow. */
async function* examine({
  config,
  log,
  signal,
}: Pick<Context, 'config' | 'log' | 'signal'>): AsyncGenerator<Finding, void> {
  yield checkNode(process.versions.node)
  yield* await checkRedis(config, environment()['PATH'] ?? '', signal)
  yield await checkDestination(config.settings.destination)
  if (config.servers.length === 0) yield NO_SERVER
  for (const server of config.servers) yield* await checkServer({ config, log }, server, signal)
}

const NO_SERVER: Finding = {
  check: 'Server',
  health: 'warn',
  message: 'none is named',
  fix: 'Name one with --server, DATAVERSE_SERVER or in dataferry.config.json.',
}

const TONES: Readonly<Record<Health, Tone>> = { ok: 'good', warn: 'warn', fail: 'bad' }

function report(out: Output, finding: Finding): void {
  out.record({ event: 'check', ...finding })
  out.line(`${finding.health.padEnd(4)}  ${finding.check.padEnd(11)}  ${finding.message}`, TONES[finding.health])
  if (finding.fix !== undefined) out.line(`${' '.repeat(19)}${finding.fix}`)
}
