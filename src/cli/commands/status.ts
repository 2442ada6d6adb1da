import type { Command } from '../command.ts'

/** `dataferry status`: every batch of this Redis, or one. */
export const command: Command = {
  examples: ['dataferry status', 'dataferry status --watch', 'dataferry status manifest-20261123-150742-1f0c --json'],
  about:
    'Covers all machines that share this Redis; what needs attention comes first. ' +
    'With --json finished batches are included.',
  operands: [{ name: 'batch', help: 'only this one, by its id or the end of it', optional: true }],
  settings: ['redis', 'prefix', 'stateDir'],
  flags: [
    { flags: '-a, --all', help: 'also finished batches' },
    { flags: '-w, --watch', help: 'update every second until Ctrl-C, or until this batch has ended' },
  ],
  run: async (context) => (await import('../actions/status.ts')).run(context),
}
