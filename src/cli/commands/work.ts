import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry work`: fetches what was enqueued in this Redis, from any machine. */
export const command: Command = {
  examples: [
    'dataferry work --redis redis://queue.example.org --server https://demo.dataverse.org',
    'dataferry work --processes 4 --until-done',
  ],
  about:
    'Runs until SIGTERM or Ctrl-C; then it parks files in flight, hands its jobs back and exits with 0, or with 10 at a stop limit. ' +
    'Every machine must see the destinations under the same path or URL; with --to it works for those alone.',
  operands: [],
  settings: [
    ...SERVER_SETTINGS,
    'guestbook',
    ...DESTINATION_SETTINGS.filter((name) => name !== 'destination'),
    'jobs',
    'segments',
    'processes',
    'retries',
    'retryFirstMs',
    'retryMaxMs',
    'limitRate',
    'maxDurationMs',
    'maxTransfer',
    'idleTimeoutMs',
    'slowTimeoutMs',
    'connectTimeoutMs',
    'throttleFirstMs',
    'throttleMaxMs',
    'outageFirstMs',
    'outageMaxMs',
    'accessLookMs',
  ],
  stop: { stopping: 'files in flight are parked.' },
  flags: [
    {
      flags: '--until-done',
      help: 'end when no batch that can be brought to its end from here has anything left to do',
    },
    {
      flags: '--to <destination>',
      help: 'work only for this destination and those below it; may be repeated',
      many: true,
    },
    { flags: '--metrics-port <n>', help: 'answer /metrics for Prometheus on this port of this machine' },
  ],
  run: async (context) => (await import('../actions/work.ts')).run(context),
}
