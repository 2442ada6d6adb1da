import type { Command } from '../command.ts'

/** `dataferry forget`: removes a batch from Redis. */
export const command: Command = {
  examples: ['dataferry forget manifest-20261123-150742-1f0c'],
  about: '`dataferry resume` makes an unfinished batch known again.',
  operands: [{ name: 'batch', help: 'its id as `dataferry status --all` shows it, or the end of it' }],
  settings: ['redis', 'prefix', 'stateDir'],
  flags: [],
  run: async (context) => (await import('../actions/forget.ts')).run(context),
}
